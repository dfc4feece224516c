import type { BackendShape } from "../form/shape.ts";
import { printGeminiRequest } from "./print-request.ts";
import { GeminiReader, readGeminiAnswer } from "./read-answer.ts";

/** Google's `generateContent`, of AI Studio and Vertex AI alike. */
export const GEMINI: BackendShape = {
  printRequest: printGeminiRequest,
  readAnswer: readGeminiAnswer,
  reader: () => new GeminiReader(),
};
