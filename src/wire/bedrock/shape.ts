import type { BackendShape } from "../form/shape.ts";
import { printBedrockRequest } from "./print-request.ts";
import { BedrockReader, readBedrockAnswer } from "./read-answer.ts";

/** Amazon Bedrock's `Converse` and `ConverseStream`. */
export const BEDROCK: BackendShape = {
  printRequest: printBedrockRequest,
  readAnswer: readBedrockAnswer,
  reader: () => new BedrockReader(),
};
