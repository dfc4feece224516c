import { z } from "zod";
import { say } from "./say.ts";

/** Base URL of an OpenAI-compatible API. */
export const baseUrl = z
  .string()
  .check((context) => {
    const fault = urlFault(context.value);
    if (fault !== null) context.issues.push({ code: "custom", message: fault, input: null });
  })
  .meta({
    description:
      "Base URL of an OpenAI-compatible API, up to and including /v1 or its like. http or https, without credentials or query.",
    format: "uri",
    pattern: "^[Hh][Tt][Tt][Pp][Ss]?://",
  });

/** What to do about a backend that says neither where it is nor that it is embedded. */
export const URL_REMEDY =
  "give the base URL of an OpenAI-compatible API, such as https://api.example.com/v1, or write engine: embedded";

/** Base URL of a service whose API's paths are known. */
export function serviceUrl(meaning: string) {
  return z
    .string()
    .check((context) => {
      const fault = urlFault(context.value) ?? versionFault(context.value);
      if (fault !== null) context.issues.push({ code: "custom", message: fault, input: null });
    })
    .meta({ description: meaning, format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://" });
}

function versionFault(text: string): string | null {
  if (!/\/v1(beta\d*)?\/*$/.test(text)) return null;
  return say("leads to a version of the API", "end it before the version, which this engine adds itself");
}

/** What is wrong with a base URL, never quoting it, or null. */
function urlFault(text: string): string | null {
  if (!/^https?:\/\/[^\s]+$/i.test(text))
    return say("must begin with http:// or https://", "write the scheme, such as https://api.example.com/v1");
  if (!URL.canParse(text)) return say("not a URL", "write it as http://HOST:PORT/v1");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    return say("holds credentials", "remove them from the url and give them as key: {env: NAME} or key: {file: PATH}");
  }
  if (/[?#]/.test(text))
    return say(
      "has a query or a fragment",
      "end the url with its path; pass keys with key and other settings with headers",
    );
  if (/\/(completions|models|embeddings|responses|messages)\/*$/.test(url.pathname)) {
    return say("leads to one endpoint", "end it before the endpoint, usually with /v1");
  }
  return null;
}

/** Headers that the gateway writes itself, so that a configured one would break the request. */
const OWN_HEADERS = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "content-type",
  "upgrade",
  "te",
  "expect",
  "keep-alive",
  "anthropic-version",
]);

/** Fixed headers for a backend. */
export const headers = z
  .record(z.string(), z.string())
  .check((context) => {
    for (const [header, value] of Object.entries(context.value)) {
      const fault = headerFault(header.toLowerCase(), value);
      if (fault !== null) context.issues.push({ code: "custom", message: fault, path: [header], input: null });
    }
  })
  .describe("Headers sent with every request to this backend. Not authorization: use `key`.");

function headerFault(header: string, value: string): string | null {
  if (header === "authorization" || header === "proxy-authorization") {
    return say(
      "credentials must not be written in this file",
      "remove it and use key: {env: NAME} or key: {file: PATH}",
    );
  }
  if (OWN_HEADERS.has(header)) return say("Baseload sets this header itself", "remove it");
  if (!/^[!#$%&'*+.^_`|~a-z0-9-]+$/.test(header)) return say("not a header name", "use letters, digits and hyphens");
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    return say("the value has characters that a header cannot carry", "write it on one line in plain characters");
  return null;
}
