/** The internal form of an answer, as a stream of events and whole. */

/** Why an answer ended. `content-filter` is the provider's doing, `refusal` the model's own. */
export type StopReason =
  | "end"
  | "length"
  | "stop-sequence"
  | "tool-calls"
  | "content-filter"
  | "refusal"
  /** The provider paused a long turn; the same conversation goes on when it is sent back. */
  | "pause";

/** Token counts in every shape's sense. Null is unknown. `inputTokens` includes what was read from and written to a cache. */
export interface FormUsage {
  readonly inputTokens: number | null;
  readonly cachedInputTokens: number | null;
  /** Input tokens that were written to the provider's cache. */
  readonly cacheWriteTokens: number | null;
  /** Includes reasoning. */
  readonly outputTokens: number | null;
  readonly reasoningTokens: number | null;
  /** What the provider says it charged, in nano-dollars, or null. */
  readonly reportedCostNanoUsd: number | null;
}

/** A source that the answer names for a piece of its text. */
export interface Citation {
  readonly url: string | null;
  readonly title: string | null;
  /** The words cited, or null. */
  readonly citedText: string | null;
  /** Where in the part's text it stands, in UTF-16 code units, or null. */
  readonly start: number | null;
  readonly end: number | null;
  /** The provider's own object, for a client of the same shape. */
  readonly raw: unknown;
}

/** One token's log probability and its likeliest alternatives. */
export interface TokenLogprob {
  readonly token: string;
  readonly bytes: readonly number[] | null;
  readonly logprob: number;
  readonly top: readonly {
    readonly token: string;
    readonly bytes: readonly number[] | null;
    readonly logprob: number;
  }[];
}

/** What a part of an answer is. */
export type AnswerPartHead =
  | { readonly kind: "text" }
  | { readonly kind: "refusal" }
  | { readonly kind: "reasoning" }
  /** A call; its arguments come as text. */
  | { readonly kind: "tool-call"; readonly id: string; readonly name: string }
  /** A thought that only its provider reads, whole. */
  | { readonly kind: "encrypted-reasoning"; readonly data: string };

/**
 * One event of an answer. Contract: `start` first; parts are numbered from 0 in the order in which they begin; `text`,
 * `signature`, `citation` and `logprobs` speak of a part that has begun and not ended; `stop` after the last part has ended; `usage` any number of times after
 * `start`, the last one counting; then `done`. `failed` ends it instead, anywhere.
 */
export type AnswerEvent =
  | { readonly kind: "start"; readonly id: string | null; readonly model: string | null }
  | { readonly kind: "part"; readonly index: number; readonly head: AnswerPartHead }
  /** More of a part's text: prose, thought, refusal, or a call's arguments. Never empty. */
  | { readonly kind: "text"; readonly index: number; readonly text: string }
  | { readonly kind: "signature"; readonly index: number; readonly signature: string }
  | { readonly kind: "citation"; readonly index: number; readonly citation: Citation }
  | { readonly kind: "logprobs"; readonly index: number; readonly tokens: readonly TokenLogprob[] }
  | { readonly kind: "part-end"; readonly index: number }
  | { readonly kind: "stop"; readonly reason: StopReason; readonly stopSequence: string | null }
  | { readonly kind: "usage"; readonly usage: FormUsage }
  | { readonly kind: "ping" }
  | { readonly kind: "done" }
  | AnswerFailure;

/** An error inside an answer. */
export interface AnswerFailure {
  readonly kind: "failed";
  /** The upstream's words, or why its answer cannot be passed on. */
  readonly message: string;
  /** The HTTP status that its kind of error has outside an answer, or null where it names none. */
  readonly status: number | null;
}

/** One whole part of an answer. */
export interface AnswerPart {
  readonly head: AnswerPartHead;
  readonly text: string;
  readonly signature: string | null;
  readonly citations: readonly Citation[];
  readonly logprobs: readonly TokenLogprob[] | null;
}

/** A whole answer. */
export interface FormAnswer {
  readonly id: string | null;
  readonly model: string | null;
  readonly parts: readonly AnswerPart[];
  readonly stop: { readonly reason: StopReason; readonly stopSequence: string | null };
  readonly usage: FormUsage | null;
}

/** The events of a whole answer, as if it had been streamed. */
export function eventsOf(answer: FormAnswer): readonly AnswerEvent[] {
  const events: AnswerEvent[] = [{ kind: "start", id: answer.id, model: answer.model }];
  answer.parts.forEach(({ head, text, signature, citations, logprobs }, index) => {
    events.push({ kind: "part", index, head });
    if (logprobs !== null) events.push({ kind: "logprobs", index, tokens: logprobs });
    if (text !== "") events.push({ kind: "text", index, text });
    for (const citation of citations) events.push({ kind: "citation", index, citation });
    if (signature !== null) events.push({ kind: "signature", index, signature });
    events.push({ kind: "part-end", index });
  });
  events.push({ kind: "stop", ...answer.stop });
  if (answer.usage !== null) events.push({ kind: "usage", usage: answer.usage });
  events.push({ kind: "done" });
  return events;
}

/** A part that is still being told. */
interface Growing {
  readonly head: AnswerPartHead;
  text: string;
  signature: string | null;
  readonly citations: Citation[];
  logprobs: TokenLogprob[] | null;
}

/** The whole answer that events tell, or null when they do not end it with `done`. The inverse of `eventsOf`. */
export function answerOf(events: Iterable<AnswerEvent>): FormAnswer | null {
  let start: { readonly id: string | null; readonly model: string | null } | null = null;
  let stop: FormAnswer["stop"] | null = null;
  let usage: FormUsage | null = null;
  let isDone = false;
  const parts: Growing[] = [];
  for (const event of events) {
    if (event.kind === "start") start = { id: event.id, model: event.model };
    else if (event.kind === "part") {
      parts.push({ head: event.head, text: "", signature: null, citations: [], logprobs: null });
    } else if (event.kind === "stop") stop = { reason: event.reason, stopSequence: event.stopSequence };
    else if (event.kind === "usage") usage = event.usage;
    else if (event.kind === "done") isDone = true;
    else if ("index" in event) grow(parts[event.index], event);
  }
  return isDone && start !== null && stop !== null ? { ...start, parts, stop, usage } : null;
}

function grow(part: Growing | undefined, event: AnswerEvent): void {
  if (part === undefined) return;
  if (event.kind === "text") part.text += event.text;
  else if (event.kind === "signature") part.signature = event.signature;
  else if (event.kind === "citation") part.citations.push(event.citation);
  else if (event.kind === "logprobs") (part.logprobs ??= []).push(...event.tokens);
}
