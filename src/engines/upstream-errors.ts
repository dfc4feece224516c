import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../base/errors.ts";

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

/** The headers of an error answer that help the client: when to come again, and how much is left. */
export function relayHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string" && KEPT_HEADERS.test(name)) kept[name] = value;
  }
  return kept;
}
