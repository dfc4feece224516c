import type { Fault } from "../error.ts";
import { arrayOf, isObject, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";

/** A Google API's error body (google.rpc.Status with its details, AIP-193), or null when it is none. */
export function readGeminiFault(body: Buffer): Fault | null {
  const value = jsonOf(body.toString("utf8"));
  // Without `alt=sse` a stream's error is the first element of an array.
  const error = objectOf(objectOf(Array.isArray(value) ? value[0] : value)?.["error"]);
  const message = textOf(error?.["message"]);
  if (error === null || message === null) return null;
  const details = arrayOf(error["details"]).filter(isObject);
  const isA = (name: string) => details.find((detail) => textOf(detail["@type"])?.endsWith(`google.rpc.${name}`));
  const reason = textOf(isA("ErrorInfo")?.["reason"]);
  return {
    message,
    code: textOf(error["status"]),
    retryAfterMs: durationMs(isA("RetryInfo")?.["retryDelay"]),
    // AI Studio answers to a wrong key with status 400.
    isUnauthorized: reason?.startsWith("API_KEY_") === true,
  };
}

/** A duration such as `12s` or `3.5s`. */
function durationMs(value: unknown): number | null {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(textOf(value) ?? "")?.[1];
  return seconds === undefined ? null : Math.ceil(Number(seconds) * 1000);
}
