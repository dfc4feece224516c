/** OpenAI's answers, whole and in chunks, for the two endpoints that generate. */
import type { Outcome } from "./generate.ts";
import { chatLogprobs, completionLogprobs, type ToldChance } from "./told-chances.ts";
import type { AnswerEvent } from "./tools/answer-reader.ts";

/** What distinguishes one answer from another. `createdS` is Unix time in seconds. */
export type AnswerHead = { readonly id: string; readonly createdS: number; readonly model: string };

/** OpenAI's account of the tokens used. */
export type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
};

/** Why an answer ended, in OpenAI's words. */
export type FinishReason = Outcome["finishReason"] | "tool_calls";

/** A part of an answer: what it says, and the chances of its tokens, null where nobody asked for them. */
export type Part = { readonly events: readonly AnswerEvent[]; readonly chances: readonly ToldChance[] | null };

/** How an answer ended. */
export type Ending = { readonly finishReason: FinishReason; readonly outcome: Outcome };

/** How one endpoint writes its answers. */
export type AnswerShape = {
  readonly idPrefix: string;
  /** The whole answer, for a request without a stream. */
  whole(head: AnswerHead, part: Part, ending: Ending): object;
  /** Chunks before the first text. */
  opening(head: AnswerHead): object[];
  /** The chunks of a part, one an event; the chances go with the first. */
  pieces(head: AnswerHead, part: Part): object[];
  /** The chunk that says why the answer ended, with the chances that no text was left for. */
  closing(head: AnswerHead, finishReason: FinishReason, chances: Part["chances"]): object;
  /** The chunk with the usage, for those who asked for it. */
  usage(head: AnswerHead, outcome: Outcome): object;
};

/** The shapes of `/v1/chat/completions`. */
export const CHAT_SHAPE: AnswerShape = {
  idPrefix: "chatcmpl-",
  whole: (head, { events, chances }, { finishReason, outcome }) => ({
    ...fields(head, "chat.completion"),
    choices: [{ index: 0, message: messageOf(events), logprobs: chatChances(chances), finish_reason: finishReason }],
    usage: usageOf(outcome),
  }),
  opening: (head) => [chatChunk(head, { role: "assistant", content: "", refusal: null })],
  pieces: (head, { events, chances }) =>
    events.map((event, index) => chatChunk(head, deltaOf(event), { chances: index === 0 ? chances : null })),
  closing: (head, finishReason, chances) => chatChunk(head, {}, { finishReason, chances: nonEmpty(chances) }),
  usage: (head, outcome) => ({ ...fields(head, "chat.completion.chunk"), choices: [], usage: usageOf(outcome) }),
};

/** The shapes of `/v1/completions`. */
export const COMPLETION_SHAPE: AnswerShape = {
  idPrefix: "cmpl-",
  whole: (head, { events, chances }, { finishReason, outcome }) => ({
    ...completionChunk(head, textOf(events), { finishReason, chances }),
    usage: usageOf(outcome),
  }),
  opening: () => [],
  pieces: (head, { events, chances }) =>
    events.length === 0 ? [] : [completionChunk(head, textOf(events), { chances })],
  closing: (head, finishReason, chances) => completionChunk(head, "", { finishReason, chances: nonEmpty(chances) }),
  usage: (head, outcome) => ({ ...fields(head, "text_completion"), choices: [], usage: usageOf(outcome) }),
};

/** The outcome in OpenAI's words. */
export function usageOf(outcome: Outcome): Usage {
  return {
    prompt_tokens: outcome.promptTokens,
    completion_tokens: outcome.completionTokens,
    total_tokens: outcome.promptTokens + outcome.completionTokens,
    prompt_tokens_details: { cached_tokens: outcome.cachedTokens },
  };
}

/** The words among a part's events. */
function textOf(events: readonly AnswerEvent[]): string {
  return events.map((event) => (event.kind === "content" ? event.text : "")).join("");
}

function messageOf(events: readonly AnswerEvent[]): object {
  const calls: { id: string; name: string; text: string }[] = [];
  for (const event of events) {
    if (event.kind === "call") calls.push({ id: event.id, name: event.name, text: "" });
    else if (event.kind === "arguments") (calls[event.index] as (typeof calls)[number]).text += event.text;
  }
  const content = textOf(events);
  if (calls.length === 0) return { role: "assistant", content, refusal: null };
  return {
    role: "assistant",
    content: content === "" ? null : content,
    refusal: null,
    tool_calls: calls.map(({ id, name, text }) => ({ id, type: "function", function: { name, arguments: text } })),
  };
}

function deltaOf(event: AnswerEvent): object {
  if (event.kind === "content") return { content: event.text };
  const { index } = event;
  if (event.kind === "arguments") return { tool_calls: [{ index, function: { arguments: event.text } }] };
  const { id, name } = event;
  return { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] };
}

/** What a chunk says besides its text. */
type ChunkEnd = { readonly finishReason?: FinishReason; readonly chances: Part["chances"] };

function chatChunk(head: AnswerHead, delta: object, { finishReason, chances }: ChunkEnd = { chances: null }): object {
  return {
    ...fields(head, "chat.completion.chunk"),
    choices: [{ index: 0, delta, logprobs: chatChances(chances), finish_reason: finishReason ?? null }],
  };
}

function completionChunk(head: AnswerHead, text: string, { finishReason, chances }: ChunkEnd): object {
  const logprobs = chances === null ? null : completionLogprobs(chances);
  return {
    ...fields(head, "text_completion"),
    choices: [{ index: 0, text, logprobs, finish_reason: finishReason ?? null }],
  };
}

function chatChances(chances: Part["chances"]): object | null {
  return chances === null ? null : chatLogprobs(chances);
}

function nonEmpty(chances: Part["chances"]): Part["chances"] {
  return chances === null || chances.length === 0 ? null : chances;
}

function fields(head: AnswerHead, object: string): object {
  return { id: head.id, object, created: head.createdS, model: head.model };
}
