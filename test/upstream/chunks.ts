/** Which endpoint's shape an answer takes. */
export type Kind = "chat" | "text";

/** The token counts that OpenAI-compatible servers report. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
}

/** A part of an answer: plain text, or a whole chat delta such as a tool call's. */
export type Piece = string | { readonly [field: string]: unknown };

/** The figures are unlike any count that a gateway could make of the text itself, so an estimate cannot pass for them. */
export const USAGE: Usage = { prompt_tokens: 1234, completion_tokens: 57, total_tokens: 1291 };

/** Explicit zeros, which are figures and not a lack of figures. */
export const ZERO_USAGE: Usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

/** Usage with the details that prices depend on. */
export const CACHED_USAGE: Usage = {
  prompt_tokens: 2048,
  completion_tokens: 301,
  total_tokens: 2349,
  prompt_tokens_details: { cached_tokens: 1920 },
  completion_tokens_details: { reasoning_tokens: 256 },
};

/** Characters of one to four bytes, and an escape, so that split bytes and re-encoding show. */
export const PIECES: readonly string[] = ["Hello", ", ", "wörld", " 🌍", " 日本語", ' "quoted"\n', "end."];

/** What the answer being built is for. */
export interface Shape {
  readonly kind: Kind;
  readonly model: string;
  readonly id: string;
}

function base(shape: Shape, object: string): Record<string, unknown> {
  return { id: shape.id, object, created: 1_700_000_000, model: shape.model, system_fingerprint: "fp_mock" };
}

/** One streamed chunk with one choice. With `usage` undefined the field is left out, as OpenAI does when it was not asked. */
export function chunk(
  shape: Shape,
  piece: Piece | null,
  options: { readonly finish?: string; readonly usage?: Usage | null | undefined } = {},
): string {
  const finish_reason = options.finish ?? null;
  const choice =
    shape.kind === "chat"
      ? { index: 0, delta: delta(piece), logprobs: null, finish_reason }
      : { index: 0, text: textOf(piece), logprobs: null, finish_reason };
  const object = shape.kind === "chat" ? "chat.completion.chunk" : "text_completion";
  const body: Record<string, unknown> = { ...base(shape, object), choices: [choice] };
  if (options.usage !== undefined) body["usage"] = options.usage;
  return JSON.stringify(body);
}

function delta(piece: Piece | null): unknown {
  if (piece === null) return {};
  return typeof piece === "string" ? { content: piece } : piece;
}

function textOf(piece: Piece | null): string {
  if (piece === null) return "";
  return typeof piece === "string" ? piece : JSON.stringify(piece);
}

/** The extra chunk that `stream_options.include_usage` asks for. */
export function usageChunk(shape: Shape, usage: Usage): string {
  const object = shape.kind === "chat" ? "chat.completion.chunk" : "text_completion";
  return JSON.stringify({ ...base(shape, object), choices: [], usage });
}

/** The whole answer of a request without a stream. */
export function whole(
  shape: Shape,
  message: string | { readonly [field: string]: unknown },
  options: { readonly finish: string; readonly usage: Usage | undefined },
): string {
  const chat = typeof message === "string" ? { role: "assistant", content: message, refusal: null } : message;
  const choice =
    shape.kind === "chat"
      ? { index: 0, message: chat, logprobs: null, finish_reason: options.finish }
      : { index: 0, text: textOf(message), logprobs: null, finish_reason: options.finish };
  const body = base(shape, shape.kind === "chat" ? "chat.completion" : "text_completion");
  return JSON.stringify({ ...body, choices: [choice], ...(options.usage ? { usage: options.usage } : {}) });
}
