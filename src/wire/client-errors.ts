import type { ErrorCode } from "../base/errors.ts";
import type { Endpoint } from "../base/job.ts";
import { anthropicError, anthropicStreamEnd, relayedAnthropicError } from "./anthropic/errors.ts";
import { errorEnvelope, type ErrorDetail, relayedEnvelope } from "./error.ts";
import { printSse } from "./sse.ts";

/** How errors are told to clients of one shape. */
export interface ClientErrors {
  /** The body of an error answer, as JSON. */
  body(code: ErrorCode, more: ErrorDetail): unknown;
  /** An upstream's error body in this shape: in its own words. */
  relayed(status: number, body: Buffer): unknown;
  /** The events that end a stream that has begun. */
  streamEnd(code: ErrorCode, more: ErrorDetail): string;
  /** Headers of every answer that name the request. */
  readonly requestIdHeaders: readonly string[];
}

/** OpenAI's. */
export const OPENAI_ERRORS: ClientErrors = {
  body: errorEnvelope,
  relayed: relayedEnvelope,
  requestIdHeaders: ["x-request-id"],
  streamEnd: (code, more) => printSse(errorEnvelope(code, more)),
};

/** Anthropic's. */
export const ANTHROPIC_ERRORS: ClientErrors = {
  body: anthropicError,
  relayed: relayedAnthropicError,
  streamEnd: anthropicStreamEnd,
  // Its SDKs read the second.
  requestIdHeaders: ["x-request-id", "request-id"],
};

/** Those of OpenAI's responses: as all of OpenAI's, but for the event in a stream. */
const RESPONSES_ERRORS: ClientErrors = {
  ...OPENAI_ERRORS,
  streamEnd: (code, more) => {
    const { message, param } = errorEnvelope(code, more).error;
    return printSse({ type: "error", code, message, param }, "error");
  },
};

const BY_ENDPOINT: Readonly<Record<Endpoint, ClientErrors>> = {
  chat: OPENAI_ERRORS,
  completions: OPENAI_ERRORS,
  responses: RESPONSES_ERRORS,
  embeddings: OPENAI_ERRORS,
  messages: ANTHROPIC_ERRORS,
  count_tokens: ANTHROPIC_ERRORS,
};

/** The headers that name a request to its client, as a flat list. */
export function requestIdHeaders(endpoint: Endpoint, clientRequestId: string): string[] {
  return clientErrors(endpoint).requestIdHeaders.flatMap((name) => [name, clientRequestId]);
}

/** How an endpoint's clients are told of errors. */
export function clientErrors(endpoint: Endpoint): ClientErrors {
  return BY_ENDPOINT[endpoint];
}
