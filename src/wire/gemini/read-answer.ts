import { type AnswerEvent, answerOf, type FormAnswer, type StopReason } from "../form/answer.ts";
import type { AnswerReader } from "../form/shape.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { markSignature } from "./signature.ts";
import { readCitations, readGeminiUsage, readLogprobs } from "./sources.ts";

/** `finishReason`s by which an answer ended as answers do. With any other the model broke down, and there is no answer. */
const STOPS: Readonly<Record<string, StopReason>> = {
  STOP: "end",
  MAX_TOKENS: "length",
  SAFETY: "content-filter",
  RECITATION: "content-filter",
  LANGUAGE: "content-filter",
  BLOCKLIST: "content-filter",
  PROHIBITED_CONTENT: "content-filter",
  SPII: "content-filter",
  MODEL_ARMOR: "content-filter",
};

/** Members of a part that hold content for which clients' shapes have no word. */
const UNKNOWN_CONTENT = ["inlineData", "fileData", "executableCode", "codeExecutionResult"] as const;

/** Reads the chunks of `streamGenerateContent`, which has no last event: it is over when its bytes are. Owned by one attempt. */
export class GeminiReader implements AnswerReader {
  #start: { readonly id: string | null; readonly model: string | null } | null = null;
  #parts = 0;
  /** The part of prose or thought that is being told, with its text so far. */
  #open: { readonly index: number; readonly kind: "text" | "reasoning"; text: string } | null = null;
  #calls = 0;
  #stop: StopReason | null = null;
  /** Citations that were told; a chunk may repeat those of the one before. */
  readonly #told = new Set<string>();

  push(data: string): readonly AnswerEvent[] | null {
    const value = jsonOf(data);
    return isObject(value) ? this.take(value) : null;
  }

  /** The events of one chunk; null when it is none. */
  take(chunk: JsonObject): readonly AnswerEvent[] | null {
    const { error } = chunk;
    if (error !== undefined)
      return [failed((isObject(error) ? textOf(error["message"]) : textOf(error)) ?? "an error")];
    const { candidates = [], promptFeedback, usageMetadata } = chunk;
    if (!Array.isArray(candidates)) return null;
    if (candidates.length === 0 && !isObject(promptFeedback) && !isObject(usageMetadata)) return null;
    const events: AnswerEvent[] = [];
    if (this.#start === null) {
      this.#start = { id: textOf(chunk["responseId"]), model: textOf(chunk["modelVersion"]) };
      events.push({ kind: "start", ...this.#start });
    }
    if (textOf(objectOf(promptFeedback)?.["blockReason"]) !== null) this.#stop = "content-filter";
    for (const candidate of candidates) {
      if (!isObject(candidate)) return null;
      // Other shapes have one answer; only one is ever asked for.
      if ((numberOf(candidate["index"]) ?? 0) === 0 && !this.#candidate(candidate, events)) return null;
    }
    const usage = readGeminiUsage(usageMetadata);
    if (usage !== null) events.push({ kind: "usage", usage });
    return events;
  }

  end(): readonly AnswerEvent[] | null {
    if (this.#stop === null) return null;
    const events: AnswerEvent[] = [];
    this.#close(events);
    const reason = this.#stop === "end" && this.#calls > 0 ? "tool-calls" : this.#stop;
    events.push({ kind: "stop", reason, stopSequence: null }, { kind: "done" });
    return events;
  }

  #candidate(candidate: JsonObject, events: AnswerEvent[]): boolean {
    const { content = {}, finishReason } = candidate;
    if (!isObject(content) || !Array.isArray(content["parts"] ?? [])) return false;
    for (const part of arrayOf(content["parts"])) {
      if (!isObject(part) || !this.#part(part, events)) return false;
    }
    this.#annotate(candidate, events);
    const reason = textOf(finishReason);
    if (reason === null || reason === "FINISH_REASON_UNSPECIFIED") return true;
    const stop = Object.hasOwn(STOPS, reason) ? STOPS[reason] : undefined;
    if (stop !== undefined) this.#stop = stop;
    else events.push(failed(`the model broke off: ${textOf(candidate["finishMessage"]) ?? reason}`));
    return true;
  }

  #part(part: JsonObject, events: AnswerEvent[]): boolean {
    const { functionCall } = part;
    if (functionCall !== undefined) return isObject(functionCall) && this.#call(functionCall, part, events);
    if (UNKNOWN_CONTENT.some((member) => part[member] !== undefined)) {
      events.push(failed("the answer holds media or code, which cannot be passed on"));
      return true;
    }
    const text = textOf(part["text"]) ?? "";
    const kind = part["thought"] === true ? "reasoning" : "text";
    if (text !== "") {
      const open = this.#begin(kind, events);
      open.text += text;
      events.push({ kind: "text", index: open.index, text });
    }
    this.#sign(part, events);
    return true;
  }

  /**
   * A signature may come in a part of its own, after the thought that it belongs to. Those of prose are left out: no client's
   * shape has a place for them, and Gemini does not insist on them.
   */
  #sign(part: JsonObject, events: AnswerEvent[]): void {
    const signature = textOf(part["thoughtSignature"]);
    if (signature === null || this.#open?.kind !== "reasoning") return;
    events.push({ kind: "signature", index: this.#open.index, signature: markSignature(signature) });
  }

  #call(call: JsonObject, part: JsonObject, events: AnswerEvent[]): boolean {
    const { args = {} } = call;
    const name = textOf(call["name"]);
    if (name === null || !isObject(args)) return false;
    this.#close(events);
    const index = this.#next();
    const id = textOf(call["id"]) ?? this.#callId();
    this.#calls += 1;
    const signature = textOf(part["thoughtSignature"]);
    events.push({ kind: "part", index, head: { kind: "tool-call", id, name } });
    events.push({ kind: "text", index, text: JSON.stringify(args) });
    if (signature !== null) events.push({ kind: "signature", index, signature: markSignature(signature) });
    events.push({ kind: "part-end", index });
    return true;
  }

  /** An id for a call without one, other than those of every other answer; OpenAI takes 40 characters back. */
  #callId(): string {
    const answer = (this.#start?.id ?? "").replaceAll(/[^\w-]/g, "").slice(0, 28);
    return `call_${answer}_${this.#calls}`;
  }

  /** Log probabilities and sources, which stand beside the parts, belong to the text that is open. */
  #annotate(candidate: JsonObject, events: AnswerEvent[]): void {
    const open = this.#open;
    if (open?.kind !== "text") return;
    const { index } = open;
    const tokens = readLogprobs(candidate["logprobsResult"]);
    if (tokens.length > 0) events.push({ kind: "logprobs", index, tokens });
    for (const citation of readCitations(candidate, open.text)) {
      const key = JSON.stringify(citation.raw);
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      events.push({ kind: "citation", index, citation });
    }
  }

  #begin(kind: "text" | "reasoning", events: AnswerEvent[]): { readonly index: number; text: string } {
    if (this.#open?.kind === kind) return this.#open;
    this.#close(events);
    const open = { index: this.#next(), kind, text: "" };
    this.#open = open;
    events.push({ kind: "part", index: open.index, head: { kind } });
    return open;
  }

  #close(events: AnswerEvent[]): void {
    if (this.#open !== null) events.push({ kind: "part-end", index: this.#open.index });
    this.#open = null;
  }

  #next(): number {
    this.#parts += 1;
    return this.#parts - 1;
  }
}

function failed(message: string): AnswerEvent {
  return { kind: "failed", message };
}

/** A whole answer's form: that of a stream of one chunk. */
export function readGeminiAnswer(
  value: unknown,
): FormAnswer | { readonly kind: "failed"; readonly message: string } | null {
  const reader = new GeminiReader();
  const events = isObject(value) ? reader.take(value) : null;
  if (events === null) return null;
  const failure = events.find((event) => event.kind === "failed");
  return failure ?? answerOf([...events, ...(reader.end() ?? [])]);
}
