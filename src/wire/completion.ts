import type { Usage } from "../base/job.ts";
import { readErrorMember } from "./error-event.ts";
import type { AnswerFailure } from "./form/answer.ts";
import { usageOf } from "./usage.ts";

/** What one chunk or one whole answer of a completion says, as far as metering and relaying ask. */
export interface Piece {
  /** Not a completion at all: `choices` is no array. */
  readonly malformed: boolean;
  /** What an `error` member says, or null. */
  readonly error: AnswerFailure | null;
  /** True when it holds something a user would see, or an end. */
  readonly hasContent: boolean;
  readonly text: string;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  /** True when it has usage and no choices, like OpenAI's last chunk. */
  readonly isUsageOnly: boolean;
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MALFORMED: Piece = {
  malformed: true,
  error: null,
  hasContent: false,
  text: "",
  finishReason: null,
  usage: null,
  isUsageOnly: false,
};

// Fields of a delta or message that carry text. Each list holds the spellings of one field (OpenAI, vLLM, SGLang, DeepSeek,
// OpenRouter), of which an engine may send two with the same text.
const TEXT_FIELDS = [["content"], ["reasoning_content", "reasoning"], ["refusal"]] as const;

function textOfFunction(fn: unknown): string {
  if (!isObject(fn)) return "";
  const { name, arguments: args } = fn;
  return (typeof name === "string" ? name : "") + (typeof args === "string" ? args : "");
}

/** The first spelling that holds text. */
function textOfField(message: Json, spellings: readonly string[]): string {
  for (const spelling of spellings) {
    const value = message[spelling];
    if (typeof value === "string" && value !== "") return value;
  }
  return "";
}

/** Text of a delta or message, and whether it holds anything besides a role. */
function readMessage(message: Json): { readonly text: string; readonly some: boolean } {
  let text = "";
  for (const spellings of TEXT_FIELDS) text += textOfField(message, spellings);
  const calls: unknown = message["tool_calls"];
  const hasCalls = Array.isArray(calls) && calls.length > 0;
  if (hasCalls) for (const call of calls) text += textOfFunction(isObject(call) ? call["function"] : undefined);
  text += textOfFunction(message["function_call"]);
  return { text, some: text !== "" || hasCalls || isObject(message["function_call"]) || isObject(message["audio"]) };
}

/** Reads a parsed chunk (`delta`), whole chat answer (`message`) or text completion (`text`). */
export function readPiece(value: unknown): Piece {
  if (!isObject(value)) return MALFORMED;
  const error = value["error"];
  if (error !== undefined && error !== null) return { ...MALFORMED, malformed: false, error: readErrorMember(error) };
  const choices = value["choices"];
  if (!Array.isArray(choices)) return MALFORMED;
  let text = "";
  let some = false;
  let finishReason: string | null = null;
  for (const choice of choices) {
    if (!isObject(choice)) return MALFORMED;
    const message = choice["delta"] ?? choice["message"];
    if (isObject(message)) {
      const read = readMessage(message);
      text += read.text;
      some ||= read.some;
    }
    const plain = choice["text"];
    if (typeof plain === "string" && plain !== "") {
      text += plain;
      some = true;
    }
    if (typeof choice["finish_reason"] === "string") finishReason = choice["finish_reason"];
  }
  const usage = usageOf(value);
  return {
    malformed: false,
    error: null,
    hasContent: some || finishReason !== null,
    text,
    finishReason,
    usage,
    isUsageOnly: usage !== null && choices.length === 0,
  };
}
