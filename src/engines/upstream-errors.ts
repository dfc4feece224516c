import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { Relay } from "../ports/engine.ts";
import type { Fault } from "../wire/error.ts";

const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ECONNABORTED",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
]);

/** The error code of a transport error; `answered` once response headers had come. */
export function failureCodeOf(error: Error, answered: boolean): ErrorCode {
  const code = String((error as { readonly code?: unknown }).code ?? "");
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "upstream_connect_timeout";
  // undici gives the parser's code to some of its errors only.
  if (code.startsWith("HPE_") || error.name === "HTTPParserError") return "upstream_bad_response";
  if (!answered && (UNREACHABLE.has(code) || code.startsWith("ERR_TLS") || code.includes("CERT")))
    return "upstream_unreachable";
  return "upstream_broken";
}

/** `retry-after` in milliseconds: seconds or an HTTP date (RFC 9110, 10.2.3); null when absent or unreadable. */
export function retryAfterMs(value: string | string[] | undefined, wallMs: number): number | null {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined || text === "") return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - wallMs);
}

const KEPT_HEADERS = /^(?:retry-after$|x-ratelimit-|anthropic-ratelimit-)/;

/** An error answer as it is passed on: in its own words, which OpenAI's envelope holds where its API has another. */
export function relayOf(
  status: number,
  headers: IncomingHttpHeaders,
  { body, fault }: { readonly body: Buffer; readonly fault: Fault | null },
): Relay {
  const kept = relayHeaders(headers);
  if (fault === null) return { status, headers: kept, body };
  const { message, code, retryAfterMs: waitMs } = fault;
  const wait = waitMs === null ? {} : { "retry-after": String(Math.ceil(waitMs / 1000)) };
  return { status, headers: { ...wait, ...kept }, body: Buffer.from(JSON.stringify({ error: { message, code } })) };
}

/** The headers of an error answer that help the client: when to come again, and how much is left. */
function relayHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string" && KEPT_HEADERS.test(name)) kept[name] = value;
  }
  return kept;
}
