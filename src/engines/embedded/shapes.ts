/** OpenAI's answers, whole and in chunks, for the two endpoints that generate. */
import type { Outcome } from "./generate.ts";

/** What distinguishes one answer from another. `createdS` is Unix time in seconds. */
export type AnswerHead = { readonly id: string; readonly createdS: number; readonly model: string };

/** OpenAI's account of the tokens used. */
export type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
};

/** How one endpoint writes its answers. */
export type AnswerShape = {
  readonly idPrefix: string;
  /** The whole answer, for a request without a stream. */
  whole(head: AnswerHead, text: string, outcome: Outcome): object;
  /** Chunks before the first text. */
  opening(head: AnswerHead): object[];
  /** A chunk with a piece of text. */
  piece(head: AnswerHead, text: string): object;
  /** The chunk that says why the answer ended. */
  closing(head: AnswerHead, finishReason: Outcome["finishReason"]): object;
  /** The chunk with the usage, for those who asked for it. */
  usage(head: AnswerHead, outcome: Outcome): object;
};

/** The shapes of `/v1/chat/completions`. */
export const CHAT_SHAPE: AnswerShape = {
  idPrefix: "chatcmpl-",
  whole: (head, text, outcome) => ({
    ...fields(head, "chat.completion"),
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: text, refusal: null },
        logprobs: null,
        finish_reason: outcome.finishReason,
      },
    ],
    usage: usageOf(outcome),
  }),
  opening: (head) => [chatChunk(head, { role: "assistant", content: "", refusal: null }, null)],
  piece: (head, text) => chatChunk(head, { content: text }, null),
  closing: (head, finishReason) => chatChunk(head, {}, finishReason),
  usage: (head, outcome) => ({ ...fields(head, "chat.completion.chunk"), choices: [], usage: usageOf(outcome) }),
};

/** The shapes of `/v1/completions`. */
export const COMPLETION_SHAPE: AnswerShape = {
  idPrefix: "cmpl-",
  whole: (head, text, outcome) => ({ ...completionChunk(head, text, outcome.finishReason), usage: usageOf(outcome) }),
  opening: () => [],
  piece: (head, text) => completionChunk(head, text, null),
  closing: (head, finishReason) => completionChunk(head, "", finishReason),
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

function chatChunk(head: AnswerHead, delta: object, finishReason: Outcome["finishReason"] | null): object {
  return {
    ...fields(head, "chat.completion.chunk"),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  };
}

function completionChunk(head: AnswerHead, text: string, finishReason: Outcome["finishReason"] | null): object {
  return {
    ...fields(head, "text_completion"),
    choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }],
  };
}

function fields(head: AnswerHead, object: string): object {
  return { id: head.id, object, created: head.createdS, model: head.model };
}
