import type { BackendShape, ClientShape } from "../form/shape.ts";
import { MessagePrinter, printAnswer } from "./print-answer.ts";
import { type AnthropicDefaults, printRequest } from "./print-request.ts";
import { MessageReader, readAnswer } from "./read-answer.ts";
import { readRequest } from "./read-request.ts";

/** `max_tokens` of a request that names none, unless the configuration says another: what every model since 2024 can make. */
export const DEFAULT_MAX_TOKENS = 8192;

/** Anthropic's Messages API, for clients. */
export const ANTHROPIC_CLIENT: ClientShape = {
  readRequest,
  printAnswer,
  printer: (context) => new MessagePrinter(context),
};

/** Anthropic's Messages API, for backends. */
export function anthropicBackend(defaults: AnthropicDefaults): BackendShape {
  return { printRequest: (request) => printRequest(request, defaults), readAnswer, reader: () => new MessageReader() };
}
