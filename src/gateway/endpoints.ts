import type { IncomingMessage } from "node:http";
import type { Endpoint } from "../base/job.ts";
import { ANTHROPIC_ERRORS, type ClientErrors, OPENAI_ERRORS } from "../wire/client-errors.ts";

/** Where requests for models come in, and as what; batches may ask the same. */
export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": "chat",
  "/v1/responses": "responses",
  "/v1/embeddings": "embeddings",
  "/v1/completions": "completions",
  "/v1/messages": "messages",
};

/** Where models are listed. */
export const MODELS = "/v1/models";

const MESSAGES = "/v1/messages";

/** What a path asks of a model, or undefined when it asks nothing of one. */
export function endpointOf(path: string): Endpoint | undefined {
  return path === `${MESSAGES}/count_tokens` ? "count_tokens" : ENDPOINTS[path];
}

/** How whoever sends this request is told of errors, by what it calls and how. */
export function errorsFor(req: IncomingMessage): ClientErrors {
  const path = pathOf(req.url ?? "/");
  const isAnthropic = path === MESSAGES || path.startsWith(`${MESSAGES}/`) || asksAnthropicModels(req, path);
  return isAnthropic ? ANTHROPIC_ERRORS : OPENAI_ERRORS;
}

/** Both APIs list models at one path; Anthropic's clients always name a version. */
export function asksAnthropicModels(req: IncomingMessage, path: string): boolean {
  return req.headers["anthropic-version"] !== undefined && (path === MODELS || path.startsWith(`${MODELS}/`));
}

/** The path of a request target, in origin form or in the absolute form that proxies use (RFC 9112, 3.2.2). */
export function pathOf(target: string): string {
  if (!target.startsWith("/") && URL.canParse(target)) return new URL(target).pathname;
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}
