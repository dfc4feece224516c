import { z } from "zod";
import { parseNetwork } from "../../gateway/addresses.ts";
import { say } from "./say.ts";

/** An address, or a network in CIDR notation. */
export const network = z.string().refine((text) => parseNetwork(text) !== null, {
  error: say("not an address or a network", "write it as 10.0.0.0/8, 192.0.2.1 or fd00::/8"),
});
