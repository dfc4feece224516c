import type { BackendShape, ClientShape } from "../form/shape.ts";
import { printResponsesRequest } from "./print-request.ts";
import { ResponsesPrinter } from "./printer.ts";
import { readResponse, ResponsesReader } from "./read-answer.ts";
import { readResponsesRequest } from "./read-request.ts";
import { printWholeResponse } from "./response.ts";

/** OpenAI's responses, for clients and for backends. */
export const OPENAI_RESPONSES: ClientShape & BackendShape = {
  readRequest: readResponsesRequest,
  printRequest: printResponsesRequest,
  readAnswer: readResponse,
  reader: () => new ResponsesReader(),
  printAnswer: printWholeResponse,
  printer: (context) => new ResponsesPrinter(context),
};
