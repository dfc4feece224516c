import { type ErrorCode, errorRow } from "../base/errors.ts";
import { isObject, objectOf, textOf } from "./json.ts";
import { jsonOf } from "./reading.ts";

/** OpenAI's error envelope. */
export interface ErrorEnvelope {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

/** What an error adds to its row. */
export interface ErrorDetail {
  readonly detail?: string | null;
  readonly param?: string | null;
  /** The client's or our own id of the request, for shapes that name it in the body. */
  readonly requestId?: string | null;
}

/** What an upstream's error answer says, whatever its API's words. */
export interface Fault {
  readonly message: string;
  /** Its API's own word for the kind of error, or null. */
  readonly code: string | null;
  /** When to come again, as the body says, or null. */
  readonly retryAfterMs: number | null;
  /** Whether our own credentials are what it refuses, whatever the status. */
  readonly isUnauthorized: boolean;
}

/** Reads an upstream's error answer; null when it is none of its API's. Header names are in lower case. */
export type ReadFault = (body: Buffer, headers: Readonly<Record<string, unknown>>) => Fault | null;

/** What happened, then what to do. */
export function errorWords(code: ErrorCode, { detail = null }: ErrorDetail = {}): string {
  const { message, remedy } = errorRow(code);
  return `${detail === null ? message : `${message}: ${detail}`}. ${remedy}`;
}

/** The envelope of a code. */
export function errorEnvelope(code: ErrorCode, more: ErrorDetail = {}): ErrorEnvelope {
  return { error: { message: errorWords(code, more), type: errorRow(code).type, param: more.param ?? null, code } };
}

/** An upstream's error body in OpenAI's shape: its own when it has that shape, else its words in ours. */
export function relayedEnvelope(status: number, body: Buffer): unknown {
  const error = objectOf(jsonOf(body.toString("utf8")))?.["error"];
  if (isObject(error) && textOf(error["message"]) !== null) {
    return { error: { type: typeOf(status), param: null, code: null, ...error } };
  }
  return { error: { message: relayedWords(status, body), type: typeOf(status), param: null, code: "upstream_error" } };
}

/** What an upstream's error body says, whatever its shape; proxies in front of engines answer in HTML. */
export function relayedWords(status: number, body: Buffer): string {
  const value = objectOf(jsonOf(body.toString("utf8")));
  const error = value?.["error"];
  const said = typeof error === "string" ? error : textOf(objectOf(error)?.["message"]);
  return (
    said ?? textOf(value?.["message"]) ?? textOf(value?.["detail"]) ?? `The backend answered with status ${status}.`
  );
}

function typeOf(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
