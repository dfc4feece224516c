import type { Fault } from "../error.ts";
import { objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";

/** An error of an AWS service in its JSON protocol: the kind in a header, the words in the body. Null when it is none. */
export function readBedrockFault(body: Buffer, headers: Readonly<Record<string, unknown>>): Fault | null {
  const value = objectOf(jsonOf(body.toString("utf8")));
  const kind = textOf(headers["x-amzn-errortype"]) ?? textOf(value?.["__type"]);
  const message = textOf(value?.["message"]) ?? textOf(value?.["Message"]) ?? kind;
  if (message === null) return null;
  // The kind may be followed by the address of its description, or follow its namespace.
  const code = kind?.split(":")[0]?.split("#").at(-1) ?? null;
  return { message, code, retryAfterMs: null, isUnauthorized: false };
}
