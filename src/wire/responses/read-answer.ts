import type {
  AnswerEvent,
  AnswerFailure,
  AnswerPart,
  AnswerPartHead,
  Citation,
  FormAnswer,
  FormUsage,
  StopReason,
} from "../form/answer.ts";
import { readErrorMember } from "../error-event.ts";
import type { AnswerReader } from "../form/shape.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";

/** A response's usage. */
function usageOf(value: unknown): FormUsage | null {
  if (!isObject(value)) return null;
  return {
    inputTokens: numberOf(value["input_tokens"]),
    cachedInputTokens: numberOf(objectOf(value["input_tokens_details"])?.["cached_tokens"]),
    cacheWriteTokens: null,
    outputTokens: numberOf(value["output_tokens"]),
    reasoningTokens: numberOf(objectOf(value["output_tokens_details"])?.["reasoning_tokens"]),
    reportedCostNanoUsd: null,
  };
}

/** Why a response ended: by its status, and by whether it calls. */
function reasonOf(response: JsonObject, hasCalls: boolean): StopReason {
  if (response["status"] === "incomplete") {
    const why = textOf(objectOf(response["incomplete_details"])?.["reason"]);
    return why === "content_filter" ? "content-filter" : "length";
  }
  return hasCalls ? "tool-calls" : "end";
}

function citationOf(annotation: unknown): readonly Citation[] {
  if (!isObject(annotation) || annotation["type"] !== "url_citation") return [];
  const { url, title, start_index: start, end_index: end } = annotation;
  const where = { start: numberOf(start), end: numberOf(end) };
  return [{ url: textOf(url), title: textOf(title), citedText: null, ...where, raw: annotation }];
}

function partOf(head: AnswerPartHead, text: string, more: Partial<AnswerPart> = {}): AnswerPart {
  return { head, text, signature: null, citations: [], logprobs: null, ...more };
}

function textsOf(parts: unknown): string {
  return arrayOf(parts)
    .map((part) => (isObject(part) ? (textOf(part["text"]) ?? "") : ""))
    .join("");
}

/** The parts of one whole item of the output; items of the provider's own tools have none. */
function partsOf(item: unknown): readonly AnswerPart[] {
  if (!isObject(item)) return [];
  if (item["type"] === "function_call") {
    const head = { kind: "tool-call", id: textOf(item["call_id"]) ?? "", name: textOf(item["name"]) ?? "" } as const;
    return [partOf(head, textOf(item["arguments"]) ?? "")];
  }
  if (item["type"] === "reasoning") {
    const words = textsOf(item["content"]);
    const text = words === "" ? textsOf(item["summary"]) : words;
    const encrypted = textOf(item["encrypted_content"]);
    if (text !== "") return [partOf({ kind: "reasoning" }, text, { signature: encrypted })];
    return encrypted === null ? [] : [partOf({ kind: "encrypted-reasoning", data: encrypted }, "")];
  }
  if (item["type"] !== "message") return [];
  return arrayOf(item["content"]).flatMap((part): readonly AnswerPart[] => {
    if (!isObject(part)) return [];
    if (part["type"] === "refusal") return [partOf({ kind: "refusal" }, textOf(part["refusal"]) ?? "")];
    const citations = arrayOf(part["annotations"]).flatMap(citationOf);
    return [partOf({ kind: "text" }, textOf(part["text"]) ?? "", { citations })];
  });
}

/** A whole response's form; null when it is none. */
export function readResponse(value: unknown): FormAnswer | AnswerFailure | null {
  if (!isObject(value)) return null;
  if (isObject(value["error"])) return readErrorMember(value["error"]);
  if (!Array.isArray(value["output"])) return null;
  const parts = value["output"].flatMap(partsOf);
  const reason = reasonOf(
    value,
    parts.some(({ head }) => head.kind === "tool-call"),
  );
  const stop = { reason, stopSequence: null };
  return { id: textOf(value["id"]), model: textOf(value["model"]), parts, stop, usage: usageOf(value["usage"]) };
}

/** Reads a response's events. Owned by one attempt. */
export class ResponsesReader implements AnswerReader {
  #count = 0;
  #hasCalls = false;
  /** Parts by where they stand in the output: item, or item and content. */
  readonly #parts = new Map<string, number>();

  push(data: string): readonly AnswerEvent[] | null {
    const value = jsonOf(data);
    const type = isObject(value) ? textOf(value["type"]) : null;
    if (!isObject(value) || type === null) return null;
    switch (type) {
      case "response.created": {
        const response = objectOf(value["response"]) ?? {};
        return [{ kind: "start", id: textOf(response["id"]), model: textOf(response["model"]) }];
      }
      case "response.output_item.added":
        return this.#itemAdded(value);
      case "response.output_item.done":
        return this.#itemDone(value);
      case "response.output_text.delta":
        return this.#delta(value, { kind: "text" });
      case "response.refusal.delta":
        return this.#delta(value, { kind: "refusal" });
      case "response.reasoning_text.delta":
      case "response.reasoning_summary_text.delta":
        return this.#delta(value, { kind: "reasoning" });
      case "response.function_call_arguments.delta":
        return this.#delta(value, null);
      case "response.output_text.annotation.added":
        return this.#annotation(value);
      case "response.content_part.done":
        return this.#end(keyOf(value));
      case "response.completed":
      case "response.incomplete":
        return this.#last(objectOf(value["response"]) ?? {});
      case "response.failed":
        return [readErrorMember(objectOf(value["response"])?.["error"])];
      case "error":
        return [readErrorMember(value["error"] ?? value)];
      default:
        return [];
    }
  }

  end(): readonly AnswerEvent[] | null {
    return null;
  }

  #begin(key: string, head: AnswerPartHead, events: AnswerEvent[]): number {
    const index = this.#count;
    this.#count += 1;
    this.#parts.set(key, index);
    events.push({ kind: "part", index, head });
    return index;
  }

  #itemAdded(value: JsonObject): readonly AnswerEvent[] {
    const item = objectOf(value["item"]) ?? {};
    if (item["type"] !== "function_call") return [];
    this.#hasCalls = true;
    const events: AnswerEvent[] = [];
    const head = { kind: "tool-call", id: textOf(item["call_id"]) ?? "", name: textOf(item["name"]) ?? "" } as const;
    this.#begin(itemKeyOf(value), head, events);
    return events;
  }

  #delta(value: JsonObject, head: AnswerPartHead | null): readonly AnswerEvent[] | null {
    const text = textOf(value["delta"]) ?? "";
    const isContent = head !== null && head.kind !== "reasoning";
    const key = isContent ? keyOf(value) : itemKeyOf(value);
    const events: AnswerEvent[] = [];
    let index = this.#parts.get(key);
    if (index === undefined && head === null) return null;
    if (head !== null) index ??= this.#begin(key, head, events);
    if (text !== "" && index !== undefined) events.push({ kind: "text", index, text });
    return events;
  }

  #annotation(value: JsonObject): readonly AnswerEvent[] {
    const index = this.#parts.get(keyOf(value));
    if (index === undefined) return [];
    return citationOf(value["annotation"]).map((citation) => ({ kind: "citation", index, citation }));
  }

  /** An item's end tells what its deltas did not: a thought's proof, or a thought that has no words. */
  #itemDone(value: JsonObject): readonly AnswerEvent[] {
    const item = objectOf(value["item"]) ?? {};
    const key = itemKeyOf(value);
    const events: AnswerEvent[] = [];
    const encrypted = item["type"] === "reasoning" ? textOf(item["encrypted_content"]) : null;
    const index = this.#parts.get(key);
    if (encrypted !== null && index !== undefined) events.push({ kind: "signature", index, signature: encrypted });
    else if (encrypted !== null) this.#begin(key, { kind: "encrypted-reasoning", data: encrypted }, events);
    return [...events, ...this.#end(key)];
  }

  #end(key: string): readonly AnswerEvent[] {
    const index = this.#parts.get(key);
    this.#parts.delete(key);
    return index === undefined ? [] : [{ kind: "part-end", index }];
  }

  #last(response: JsonObject): readonly AnswerEvent[] {
    const events: AnswerEvent[] = [...this.#parts.keys()].flatMap((key) => this.#end(key));
    events.push({ kind: "stop", reason: reasonOf(response, this.#hasCalls), stopSequence: null });
    const usage = usageOf(response["usage"]);
    if (usage !== null) events.push({ kind: "usage", usage });
    events.push({ kind: "done" });
    return events;
  }
}

/** Where a content part stands. */
function keyOf(value: JsonObject): string {
  return `${itemKeyOf(value)}.${numberOf(value["content_index"])}`;
}

/** Where an item stands. */
function itemKeyOf(value: JsonObject): string {
  return `${numberOf(value["output_index"])}`;
}
