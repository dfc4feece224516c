import { z } from "zod";
import { parseNetwork } from "../../gateway/addresses.ts";
import { say } from "./say.ts";

/** An address, or a network in CIDR notation. */
export const network = z.string().refine((text) => parseNetwork(text) !== null, {
  error: say("not an address or a network", "write it as 10.0.0.0/8, 192.0.2.1 or fd00::/8"),
});

/** Files of a server's certificate. */
export const tls = z
  .strictObject({
    certFile: z
      .string()
      .min(1)
      .describe(
        "Path of a PEM file with the server's certificate and those that lead to its root, relative to this file.",
      ),
    keyFile: z
      .string()
      .min(1)
      .describe("Path of a PEM file with its private key, without a passphrase, relative to this file."),
  })
  .describe("Serves HTTPS alone, TLS 1.2 or later. Absent: plain HTTP.");
