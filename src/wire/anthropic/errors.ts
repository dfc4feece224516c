import { type ErrorCode, errorRow } from "../../base/errors.ts";
import { errorWords, type ErrorDetail, relayedWords } from "../error.ts";
import { isObject, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { printEvent } from "./print-answer.ts";

/** Anthropic's error envelope. */
export interface AnthropicError {
  readonly type: "error";
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string | null;
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** Anthropic's `error.type` for a status. */
function typeOf(status: number): string {
  return TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
}

/** The envelope of a code: what happened, then what to do. */
export function anthropicError(code: ErrorCode, more: ErrorDetail = {}): AnthropicError {
  return envelope(errorRow(code).status, errorWords(code, more), more.requestId ?? null);
}

function envelope(status: number, message: string, requestId: string | null): AnthropicError {
  return { type: "error", error: { type: typeOf(status), message }, request_id: requestId };
}

/** An upstream's error body in Anthropic's shape: its own when it has that shape, else its words in ours. */
export function relayedAnthropicError(status: number, body: Buffer): unknown {
  const value = jsonOf(body.toString("utf8"));
  const error = isObject(value) && value["type"] === "error" ? objectOf(value["error"]) : null;
  if (error !== null && textOf(error["type"]) !== null && textOf(error["message"]) !== null) return value;
  return envelope(status, relayedWords(status, body), null);
}

/** The event that ends a stream which has begun. */
export function anthropicStreamEnd(code: ErrorCode, more: ErrorDetail): string {
  const { type, ...members } = anthropicError(code, more);
  return printEvent(type, members);
}
