import type { JsonObject } from "../../src/wire/json.ts";
import type { Script } from "../clouds/fake-upstream.ts";

/** Answers a request's body in the words of one API, or says why it is refused. */
export type Capable = (body: JsonObject) => Script | string;
