import { type ErrorCode, errorRow } from "../base/errors.ts";

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

/** The envelope of a code: what happened, then what to do. */
export function errorEnvelope(code: ErrorCode, { detail = null, param = null }: ErrorDetail = {}): ErrorEnvelope {
  const row = errorRow(code);
  const what = detail === null ? row.message : `${row.message}: ${detail}`;
  return { error: { message: `${what}. ${row.remedy}`, type: row.type, param, code } };
}

/** An upstream's error body in OpenAI's shape: its own when it has that shape, else its words in ours. */
export function relayedEnvelope(status: number, body: Buffer): unknown {
  const text = body.toString("utf8");
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: proxies in front of engines answer in HTML.
  }
  const error = typeof value === "object" && value !== null ? (value as Record<string, unknown>)["error"] : undefined;
  if (typeof error === "object" && error !== null) {
    const known = error as Record<string, unknown>;
    if (typeof known["message"] === "string") {
      return { error: { type: typeOf(status), param: null, code: null, ...known } };
    }
  }
  const message = wordsOf(value, error) ?? `The backend answered with status ${status}.`;
  return { error: { message, type: typeOf(status), param: null, code: "upstream_error" } };
}

function wordsOf(value: unknown, error: unknown): string | null {
  if (typeof error === "string") return error;
  if (typeof value !== "object" || value === null) return null;
  const named = value as Record<string, unknown>;
  for (const name of ["message", "detail"]) {
    const words = named[name];
    if (typeof words === "string") return words;
  }
  return null;
}

function typeOf(status: number): string {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
