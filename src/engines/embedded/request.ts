/** Reads the bodies of `/v1/chat/completions` and `/v1/completions`: every field is checked or refused, none is guessed. */
import { ApiError, badValue, unsupported } from "./errors.ts";

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

/** One turn of a chat, its content already joined to one text. */
export type ChatMessage = { readonly role: string; readonly content: string; readonly name?: string };

/** What both endpoints have in common. */
export type GenerationOptions = {
  readonly sampling: Sampling;
  /** The most tokens to generate, or null for as many as fit. */
  readonly maxTokens: number | null;
  /** Up to four texts that end the answer and are not part of it. */
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
};

type Fields = Readonly<Record<string, unknown>>;

/** Roles that chat templates know. `developer` is what newer clients call `system`. */
const ROLES: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant"]);
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
export function readChatRequest(body: Fields): GenerationOptions & { readonly messages: readonly ChatMessage[] } {
  refuseUnsupported(body);
  if (isSet(body["logprobs"]) || isSet(body["top_logprobs"])) throw unsupported("logprobs", "log probabilities");
  const given = body["messages"];
  if (!Array.isArray(given) || given.length === 0) throw badValue("messages", "it must be a non-empty array");
  const messages = given.map((message: unknown, index) => readMessage(message, `messages[${index}]`));
  return { messages, ...readOptions(body) };
}

/** Reads a legacy completion request. Throws `ApiError` 400 for a wrong or unsupported field. */
export function readCompletionRequest(body: Fields): GenerationOptions & { readonly prompt: string } {
  refuseUnsupported(body);
  if (isSet(body["echo"])) throw unsupported("echo", "echo");
  if (isSet(body["suffix"])) throw unsupported("suffix", "suffix");
  // Here the field is a count, and even 0 asks for the chosen token's own probability.
  if (isSet(body["logprobs"]) || body["logprobs"] === 0) throw unsupported("logprobs", "log probabilities");
  if (isSet(body["best_of"]) && body["best_of"] !== 1) throw unsupported("best_of", "best_of above 1");
  const given = body["prompt"];
  const prompt = Array.isArray(given) && given.length === 1 ? (given[0] as unknown) : given;
  if (typeof prompt !== "string") throw badValue("prompt", "it must be a string, or an array of one string");
  const options = readOptions(body);
  return { prompt, ...options, maxTokens: options.maxTokens ?? COMPLETION_DEFAULT_TOKENS };
}

function refuseUnsupported(body: Fields): void {
  for (const field of ["tools", "functions"]) {
    const value = body[field];
    if (Array.isArray(value) ? value.length > 0 : isSet(value)) throw unsupported(field, "tools");
  }
  const format = body["response_format"];
  if (isSet(format) && !(isFields(format) && format["type"] === "text")) {
    throw unsupported("response_format", "a response_format other than text");
  }
  const bias = body["logit_bias"];
  if (isFields(bias) && Object.keys(bias).length > 0) throw unsupported("logit_bias", "logit_bias");
  const modalities = body["modalities"];
  if (Array.isArray(modalities) && modalities.some((modality) => modality !== "text")) {
    throw unsupported("modalities", "output other than text");
  }
  const choices = body["n"];
  if (isSet(choices) && choices !== 1) throw unsupported("n", "more than one choice (n must be 1)");
}

function readMessage(message: unknown, param: string): ChatMessage {
  if (!isFields(message)) throw badValue(param, "it must be an object");
  const { role, name } = message;
  if (role === "tool" || role === "function" || isNonEmpty(message["tool_calls"])) throw unsupported(param, "tools");
  if (typeof role !== "string" || !ROLES.has(role))
    throw badValue(`${param}.role`, `it must be one of ${[...ROLES].join(", ")}`);
  const content = readContent(message["content"], { role, param: `${param}.content` });
  const templateRole = role === "developer" ? "system" : role;
  return typeof name === "string" ? { role: templateRole, content, name } : { role: templateRole, content };
}

function readContent(content: unknown, place: { role: string; param: string }): string {
  if (typeof content === "string") return content;
  // An assistant's turn may have no content, such as one that only refused.
  if (!isSet(content) && place.role === "assistant") return "";
  if (!Array.isArray(content)) throw badValue(place.param, "it must be a string or an array of text parts");
  return content.map((part: unknown, index) => readPart(part, `${place.param}[${index}]`)).join("");
}

function readPart(part: unknown, param: string): string {
  if (!isFields(part)) throw badValue(param, "it must be an object with a type");
  if (part["type"] !== "text")
    throw unsupported(param, `content parts of type ${JSON.stringify(part["type"] ?? null)}; only text`);
  if (typeof part["text"] !== "string") throw badValue(`${param}.text`, "it must be a string");
  return part["text"];
}

function readOptions(body: Fields): GenerationOptions {
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
    stream: readFlag(body, "stream"),
    includeUsage: isFields(body["stream_options"]) && readFlag(body["stream_options"], "include_usage"),
  };
}

function readNumber(body: Fields, param: string, range: { low: number; high: number; fallback: number }): number {
  const value = body[param] ?? range.fallback;
  if (typeof value !== "number" || !Number.isFinite(value) || value < range.low || value > range.high) {
    throw badValue(param, `it must be a number from ${range.low} to ${range.high}`);
  }
  return value;
}

function readInteger(body: Fields, param: string, low: number): number | null {
  const value = body[param] ?? null;
  if (value === null) return null;
  if (!Number.isSafeInteger(value) || (value as number) < low)
    throw badValue(param, `it must be an integer of at least ${low}`);
  return value as number;
}

function readFlag(body: Fields, param: string): boolean {
  const value = body[param] ?? false;
  if (typeof value !== "boolean") throw badValue(param, "it must be true or false");
  return value;
}

function readStop(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const stop: readonly unknown[] = Array.isArray(value) ? value : [value];
  const valid = stop.length <= 4 && stop.every((text) => typeof text === "string" && text.length > 0);
  if (!valid) throw badValue("stop", "it must be a non-empty string or an array of up to four");
  return stop as readonly string[];
}

/** Whether a field asks for a feature: clients also send null, false, 0 and "" for "no". */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

function isNonEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
