import type { BackendShape, ClientShape } from "../form/shape.ts";
import { ChatPrinter, printChatAnswer } from "./print-answer.ts";
import { printChatRequest } from "./print-request.ts";
import { ChatReader, readChatAnswer } from "./read-answer.ts";
import { readChatRequest } from "./read-request.ts";

/** OpenAI's chat completions, for clients and for backends. */
export const OPENAI_CHAT: ClientShape & BackendShape = {
  readRequest: readChatRequest,
  printRequest: printChatRequest,
  readAnswer: readChatAnswer,
  reader: () => new ChatReader(),
  printAnswer: printChatAnswer,
  printer: (context) => new ChatPrinter(context),
};
