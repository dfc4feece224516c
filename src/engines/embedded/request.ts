/** Reads the bodies of `/v1/chat/completions` and `/v1/completions`: every field is checked or refused, none is guessed. */
import { ApiError, badValue, unsupported } from "./errors.ts";
import { type Fields, isFields, isSet, readFlag, readInteger, readNumber } from "./fields.ts";
import { type ChatMessage, readMessages } from "./request-messages.ts";
import {
  type LogprobsWish,
  type OutputForm,
  readChatLogprobs,
  readCompletionLogprobs,
  readOutputForm,
} from "./request-output.ts";
import { readToolUse, type ToolUse } from "./request-tools.ts";

export type { ChatMessage };

/** How the next token is drawn. Unset fields have OpenAI's defaults already. */
export type Sampling = {
  readonly temperature: number;
  readonly topP: number;
  /** The number of likeliest tokens to draw from; 0 means all. */
  readonly topK: number;
  readonly minP: number;
  /**
   * Null for a fresh random one. Equal requests with one seed get equal text when computed alone from the same cached prefix;
   * in a batch with others sums are rounded otherwise, and now and then a token differs.
   */
  readonly seed: number | null;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
};

/** What both endpoints have in common. */
export type GenerationOptions = {
  readonly sampling: Sampling;
  /** The most tokens to generate, or null for as many as fit. */
  readonly maxTokens: number | null;
  /** Up to four texts that end the answer and are not part of it. */
  readonly stop: readonly string[];
  readonly form: OutputForm;
  /** Null where no probabilities are asked for. */
  readonly logprobs: LogprobsWish | null;
  readonly stream: boolean;
  readonly includeUsage: boolean;
};

/** A chat as it was asked for. */
export type ChatRequest = GenerationOptions & {
  readonly messages: readonly ChatMessage[];
  readonly toolUse: ToolUse | null;
};

/** What OpenAI's legacy endpoint generates when nothing is asked for. */
const COMPLETION_DEFAULT_TOKENS = 16;

/** Parses JSON into an object. Throws `ApiError` 400 otherwise. */
export function parseBody(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `The body is not valid JSON: ${(error as SyntaxError).message}`, { code: "invalid_json" });
  }
  if (!isFields(value)) throw new ApiError(400, "The body must be a JSON object.", { code: "invalid_json" });
  return value;
}

/** Reads a chat request. Throws `ApiError` 400 for a wrong or unsupported field. */
export function readChatRequest(body: Fields): ChatRequest {
  refuseUnsupported(body);
  const messages = readMessages(body["messages"]);
  return { messages, toolUse: readToolUse(body), ...readOptions(body), logprobs: readChatLogprobs(body) };
}

/** Reads a legacy completion request. Throws `ApiError` 400 for a wrong or unsupported field. */
export function readCompletionRequest(body: Fields): GenerationOptions & { readonly prompt: string } {
  refuseUnsupported(body);
  for (const field of ["tools", "functions"]) {
    const value = body[field];
    if (Array.isArray(value) ? value.length > 0 : isSet(value))
      throw unsupported(field, "tools in completions; use /v1/chat/completions");
  }
  if (isSet(body["echo"])) throw unsupported("echo", "echo");
  if (isSet(body["suffix"])) throw unsupported("suffix", "suffix");
  if (isSet(body["best_of"]) && body["best_of"] !== 1) throw unsupported("best_of", "best_of above 1");
  const given = body["prompt"];
  const prompt = Array.isArray(given) && given.length === 1 ? (given[0] as unknown) : given;
  if (typeof prompt !== "string") throw badValue("prompt", "it must be a string, or an array of one string");
  const options = readOptions(body);
  const maxTokens = options.maxTokens ?? COMPLETION_DEFAULT_TOKENS;
  return { prompt, ...options, maxTokens, logprobs: readCompletionLogprobs(body) };
}

function refuseUnsupported(body: Fields): void {
  const bias = body["logit_bias"];
  if (isFields(bias) && Object.keys(bias).length > 0) throw unsupported("logit_bias", "logit_bias");
  const modalities = body["modalities"];
  if (Array.isArray(modalities) && modalities.some((modality) => modality !== "text")) {
    throw unsupported("modalities", "output other than text");
  }
  const choices = body["n"];
  if (isSet(choices) && choices !== 1) throw unsupported("n", "more than one choice (n must be 1)");
}

function readOptions(body: Fields): Omit<GenerationOptions, "logprobs"> {
  const number = (param: string, range: { low: number; high: number; fallback: number }) =>
    readNumber(body, param, range);
  const topK = readInteger(body, "top_k", -1) ?? 0;
  return {
    sampling: {
      temperature: number("temperature", { low: 0, high: 2, fallback: 1 }),
      topP: number("top_p", { low: 0, high: 1, fallback: 1 }),
      topK: Math.max(0, topK),
      minP: number("min_p", { low: 0, high: 1, fallback: 0 }),
      seed: readInteger(body, "seed", Number.MIN_SAFE_INTEGER),
      frequencyPenalty: number("frequency_penalty", { low: -2, high: 2, fallback: 0 }),
      presencePenalty: number("presence_penalty", { low: -2, high: 2, fallback: 0 }),
    },
    maxTokens: readInteger(body, "max_completion_tokens", 1) ?? readInteger(body, "max_tokens", 1),
    stop: readStop(body["stop"]),
    form: readOutputForm(body),
    stream: readFlag(body, "stream"),
    includeUsage: isFields(body["stream_options"]) && readFlag(body["stream_options"], "include_usage"),
  };
}

function readStop(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const stop: readonly unknown[] = Array.isArray(value) ? value : [value];
  const valid = stop.length <= 4 && stop.every((text) => typeof text === "string" && text.length > 0);
  if (!valid) throw badValue("stop", "it must be a non-empty string or an array of up to four");
  return stop as readonly string[];
}
