import type {
  AnswerEvent,
  AnswerPart,
  AnswerPartHead,
  Citation,
  FormAnswer,
  FormUsage,
  StopReason,
  TokenLogprob,
} from "../form/answer.ts";
import type { AnswerReader } from "../form/shape.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { usageOf } from "../usage.ts";

const STOPS: Readonly<Record<string, StopReason>> = {
  stop: "end",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
};

/** Why a choice ended. Engines that say `stop` after a call would leave an agent waiting for words that do not come. */
function stopOf(choice: JsonObject, hasCalls: boolean): FormAnswer["stop"] | null {
  const said = textOf(choice["finish_reason"]);
  if (said === null) return null;
  // vLLM and SGLang name the stop sequence that they found.
  const stopSequence = textOf(choice["stop_reason"]) ?? textOf(choice["matched_stop"]);
  const reason = Object.hasOwn(STOPS, said) ? (STOPS[said] ?? "end") : "end";
  if (reason === "end" && hasCalls) return { reason: "tool-calls", stopSequence: null };
  return reason === "end" && stopSequence !== null
    ? { reason: "stop-sequence", stopSequence }
    : { reason, stopSequence: null };
}

function formUsageOf(answer: unknown): FormUsage | null {
  const usage = usageOf(answer);
  if (usage === null) return null;
  const { method: _method, ...counts } = usage;
  return counts;
}

function tokensOf(logprobs: unknown): readonly TokenLogprob[] {
  return arrayOf(objectOf(logprobs)?.["content"]).flatMap((each): TokenLogprob[] => {
    const token = tokenOf(each);
    if (token === null || !isObject(each)) return [];
    return [{ ...token, top: arrayOf(each["top_logprobs"]).flatMap((other) => tokenOf(other) ?? []) }];
  });
}

function tokenOf(value: unknown): Omit<TokenLogprob, "top"> | null {
  if (!isObject(value)) return null;
  const [token, logprob] = [textOf(value["token"]), numberOf(value["logprob"])];
  if (token === null || logprob === null) return null;
  const { bytes } = value;
  return { token, logprob, bytes: Array.isArray(bytes) ? bytes.filter((byte) => typeof byte === "number") : null };
}

function citationsOf(message: JsonObject): readonly Citation[] {
  return arrayOf(message["annotations"]).flatMap((each): Citation[] => {
    const of = isObject(each) ? objectOf(each["url_citation"]) : null;
    if (of === null) return [];
    const [start, end] = [numberOf(of["start_index"]), numberOf(of["end_index"])];
    return [{ url: textOf(of["url"]), title: textOf(of["title"]), citedText: null, start, end, raw: each }];
  });
}

/** The spellings of thought: DeepSeek's and SGLang's, then vLLM's and OpenRouter's. */
function thoughtOf(message: JsonObject): string {
  const long = textOf(message["reasoning_content"]) ?? "";
  return long === "" ? (textOf(message["reasoning"]) ?? "") : long;
}

/** A whole chat completion's form; null when it is none, and its first choice alone, since no other shape has more. */
export function readChatAnswer(
  value: unknown,
): FormAnswer | { readonly kind: "failed"; readonly message: string } | null {
  if (!isObject(value)) return null;
  if (isObject(value["error"])) return { kind: "failed", message: textOf(value["error"]["message"]) ?? "an error" };
  const choice = objectOf(arrayOf(value["choices"])[0]);
  const message = objectOf(choice?.["message"]);
  if (choice === null || message === null) return null;
  const parts: AnswerPart[] = [];
  const add = (head: AnswerPartHead, text: string, more: Partial<AnswerPart> = {}): void => {
    parts.push({ head, text, signature: null, citations: [], logprobs: null, ...more });
  };
  const thought = thoughtOf(message);
  if (thought !== "") add({ kind: "reasoning" }, thought);
  const content = textOf(message["content"]) ?? "";
  const tokens = tokensOf(choice["logprobs"]);
  const logprobs = tokens.length === 0 ? null : tokens;
  if (content !== "") add({ kind: "text" }, content, { citations: citationsOf(message), logprobs });
  const refusal = textOf(message["refusal"]) ?? "";
  if (refusal !== "") add({ kind: "refusal" }, refusal);
  for (const call of arrayOf(message["tool_calls"])) {
    const fn = isObject(call) ? objectOf(call["function"]) : null;
    const name = textOf(fn?.["name"]);
    if (!isObject(call) || fn === null || name === null) return null;
    add({ kind: "tool-call", id: textOf(call["id"]) ?? "", name }, textOf(fn["arguments"]) ?? "");
  }
  const stop = stopOf(
    choice,
    parts.some(({ head }) => head.kind === "tool-call"),
  );
  if (stop === null) return null;
  return { id: textOf(value["id"]), model: textOf(value["model"]), parts, stop, usage: formUsageOf(value) };
}

/** Reads a chat completion's chunks. Owned by one attempt. */
export class ChatReader implements AnswerReader {
  #started = false;
  #count = 0;
  /** The part of prose, thought or refusal that is being told. */
  #open: { readonly index: number; readonly kind: AnswerPartHead["kind"] } | null = null;
  /** Parts of calls by the calls' own indices; engines may tell of several by turns, so that they end together. */
  readonly #calls = new Map<number, number>();
  #stopped = false;

  push(data: string): readonly AnswerEvent[] | null {
    if (data === "[DONE]") return this.#stopped ? [{ kind: "done" }] : null;
    const value = jsonOf(data);
    if (!isObject(value)) return null;
    const { error } = value;
    if (error !== undefined && error !== null) {
      return [{ kind: "failed", message: (isObject(error) ? textOf(error["message"]) : textOf(error)) ?? "an error" }];
    }
    if (!Array.isArray(value["choices"])) return null;
    const events: AnswerEvent[] = [];
    if (!this.#started) events.push({ kind: "start", id: textOf(value["id"]), model: textOf(value["model"]) });
    this.#started = true;
    for (const choice of value["choices"]) {
      if (!isObject(choice)) return null;
      // Other shapes have one answer; who asks for several was refused or told so.
      if ((numberOf(choice["index"]) ?? 0) === 0 && !this.#takeChoice(choice, events)) return null;
    }
    const usage = formUsageOf(value);
    if (usage !== null) events.push({ kind: "usage", usage });
    return events;
  }

  end(): readonly AnswerEvent[] | null {
    return this.#stopped ? [{ kind: "done" }] : null;
  }

  #takeChoice(choice: JsonObject, events: AnswerEvent[]): boolean {
    if (this.#stopped) return true;
    const delta = objectOf(choice["delta"]) ?? {};
    this.#tell("reasoning", thoughtOf(delta), events);
    const content = textOf(delta["content"]) ?? "";
    const tokens = tokensOf(choice["logprobs"]);
    const citations = citationsOf(delta);
    if (content !== "" || tokens.length > 0 || citations.length > 0) {
      const index = this.#begin("text", events);
      if (tokens.length > 0) events.push({ kind: "logprobs", index, tokens });
      if (content !== "") events.push({ kind: "text", index, text: content });
      for (const citation of citations) events.push({ kind: "citation", index, citation });
    }
    this.#tell("refusal", textOf(delta["refusal"]) ?? "", events);
    for (const call of arrayOf(delta["tool_calls"])) {
      if (!isObject(call) || !this.#takeCall(call, events)) return false;
    }
    const stop = stopOf(choice, this.#calls.size > 0);
    if (stop === null) return true;
    this.#stopped = true;
    this.#close(events);
    for (const index of this.#calls.values()) events.push({ kind: "part-end", index });
    events.push({ kind: "stop", ...stop });
    return true;
  }

  #tell(kind: "reasoning" | "refusal", text: string, events: AnswerEvent[]): void {
    if (text !== "") events.push({ kind: "text", index: this.#begin(kind, events), text });
  }

  /** The index of the open part of this kind, which begins here where another was open. */
  #begin(kind: "text" | "reasoning" | "refusal", events: AnswerEvent[]): number {
    if (this.#open?.kind === kind) return this.#open.index;
    this.#close(events);
    const index = this.#next();
    this.#open = { index, kind };
    events.push({ kind: "part", index, head: { kind } });
    return index;
  }

  #close(events: AnswerEvent[]): void {
    if (this.#open !== null) events.push({ kind: "part-end", index: this.#open.index });
    this.#open = null;
  }

  #next(): number {
    this.#count += 1;
    return this.#count - 1;
  }

  #takeCall(call: JsonObject, events: AnswerEvent[]): boolean {
    const at = numberOf(call["index"]) ?? 0;
    const fn = objectOf(call["function"]) ?? {};
    let index = this.#calls.get(at);
    if (index === undefined) {
      const name = textOf(fn["name"]);
      if (name === null) return false;
      this.#close(events);
      index = this.#next();
      this.#calls.set(at, index);
      events.push({ kind: "part", index, head: { kind: "tool-call", id: textOf(call["id"]) ?? "", name } });
    }
    const text = textOf(fn["arguments"]) ?? "";
    if (text !== "") events.push({ kind: "text", index, text });
    return true;
  }
}
