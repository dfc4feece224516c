import type { AnswerFailure } from "./form/answer.ts";
import { numberOf, objectOf, textOf } from "./json.ts";

/**
 * Statuses that the APIs' words for kinds of errors stand for outside a stream (Anthropic, "Errors"; OpenAI, "Error codes"). The
 * words for a failure of no special kind, such as `server_error`, are left out: they say no more than that there was one.
 */
const STATUSES: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  invalid_api_key: 401,
  billing_error: 402,
  permission_error: 403,
  request_too_large: 413,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  service_unavailable: 503,
  timeout_error: 504,
  overloaded_error: 529,
};

/** What an error inside an answer says, in whatever shape of OpenAI's, Anthropic's or Google's: a text, or an object with a message. */
export function readErrorMember(error: unknown): AnswerFailure {
  const of = objectOf(error);
  const message = textOf(of?.["message"]) ?? textOf(error) ?? "an error";
  return { kind: "failed", message, status: statusOf([of?.["code"], of?.["status"], of?.["type"]]) };
}

/** The status that the first of these says, as a number or as a word, or null. */
function statusOf(said: readonly unknown[]): number | null {
  for (const each of said) {
    const word = textOf(each);
    const named = word !== null && Object.hasOwn(STATUSES, word) ? STATUSES[word] : undefined;
    const status = named ?? numberOf(each);
    if (Number.isInteger(status) && status !== null && status >= 400 && status < 600) return status;
  }
  return null;
}
