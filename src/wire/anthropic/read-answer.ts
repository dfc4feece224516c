import type { AnswerEvent, AnswerPart, AnswerPartHead, Citation } from "../form/answer.ts";
import type { AnswerReader, BackendShape } from "../form/shape.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { readRedacted } from "./encrypted.ts";
import { type Counts, mergeCounts, NO_COUNTS, readStop, usageOf } from "./usage.ts";

/** A whole message; null when it is none. Blocks of tools that the provider runs itself have no place in the form. */
export function readAnswer(value: unknown): ReturnType<BackendShape["readAnswer"]> {
  if (!isObject(value)) return null;
  if (value["type"] === "error") return { kind: "failed", message: messageOf(value) };
  const reason = textOf(value["stop_reason"]);
  if (value["type"] !== "message" || !Array.isArray(value["content"]) || reason === null) return null;
  const parts: AnswerPart[] = [];
  for (const block of value["content"]) {
    if (!isObject(block)) return null;
    const part = readPart(block);
    if (part !== null) parts.push(part);
  }
  const usage = objectOf(value["usage"]);
  return {
    id: textOf(value["id"]),
    model: textOf(value["model"]),
    parts,
    stop: { reason: readStop(reason), stopSequence: textOf(value["stop_sequence"]) },
    usage: usage === null ? null : usageOf(mergeCounts(usage, NO_COUNTS)),
  };
}

function messageOf(value: JsonObject): string {
  return textOf(objectOf(value["error"])?.["message"]) ?? "an error";
}

function readPart(block: JsonObject): AnswerPart | null {
  const head = headOf(block);
  if (head === null) return null;
  const signature = head.kind === "reasoning" ? textOf(block["signature"]) : null;
  const citations = arrayOf(block["citations"]).filter(isObject).map(citationOf);
  const signed = signature === "" ? null : signature;
  return { head, text: textOfBlock(block, head), signature: signed, citations, logprobs: null };
}

/** What a block is, or null for one that the form has no part for. */
function headOf(block: JsonObject): AnswerPartHead | null {
  const [id, name] = [textOf(block["id"]), textOf(block["name"])];
  switch (block["type"]) {
    case "text":
      return { kind: "text" };
    case "thinking":
      return { kind: "reasoning" };
    case "redacted_thinking":
      return { kind: "encrypted-reasoning", data: readRedacted(textOf(block["data"]) ?? "") };
    case "tool_use":
      return id === null || name === null ? null : { kind: "tool-call", id, name };
    default:
      return null;
  }
}

function textOfBlock(block: JsonObject, { kind }: AnswerPartHead): string {
  if (kind === "text") return textOf(block["text"]) ?? "";
  if (kind === "reasoning") return textOf(block["thinking"]) ?? "";
  return kind === "tool-call" ? JSON.stringify(block["input"] ?? {}) : "";
}

function citationOf(raw: JsonObject): Citation {
  // Where a citation says where it stands, that is in the source, not in the answer.
  const url = textOf(raw["url"]) ?? textOf(raw["source"]);
  const title = textOf(raw["title"]) ?? textOf(raw["document_title"]);
  return { url, title, citedText: textOf(raw["cited_text"]), start: null, end: null, raw };
}

/** A block of the stream that has begun and not ended: its part, or null for one that the form has none for. */
interface OpenBlock {
  readonly part: number | null;
  readonly head: AnswerPartHead | null;
  hasText: boolean;
}

const NOTHING: readonly AnswerEvent[] = [];

/**
 * Reads the events of a streamed message. Types that are not known are passed over, as the API asks of its clients; an event
 * out of order is none of this shape. Owned by one attempt.
 */
export class MessageReader implements AnswerReader {
  readonly #blocks = new Map<number, OpenBlock>();
  #parts = 0;
  #counts: Counts = NO_COUNTS;
  #started = false;
  #done = false;

  push(data: string): readonly AnswerEvent[] | null {
    const event = jsonOf(data);
    if (!isObject(event)) return null;
    switch (event["type"]) {
      case "message_start":
        return this.#start(objectOf(event["message"]));
      case "content_block_start":
        return this.#begin(numberOf(event["index"]), objectOf(event["content_block"]));
      case "content_block_delta":
        return this.#delta(numberOf(event["index"]), objectOf(event["delta"]));
      case "content_block_stop":
        return this.#end(numberOf(event["index"]));
      case "message_delta":
        return this.#messageDelta(objectOf(event["delta"]), objectOf(event["usage"]));
      case "message_stop":
        if (!this.#started || this.#blocks.size > 0) return null;
        this.#done = true;
        return [{ kind: "done" }];
      case "ping":
        return [{ kind: "ping" }];
      case "error":
        return [{ kind: "failed", message: messageOf(event) }];
      default:
        return typeof event["type"] === "string" ? NOTHING : null;
    }
  }

  end(): readonly AnswerEvent[] | null {
    return this.#done ? NOTHING : null;
  }

  #start(message: JsonObject | null): readonly AnswerEvent[] | null {
    if (message === null || this.#started) return null;
    this.#started = true;
    // The output so far is a token or so, and no count of the answer: one that breaks off must not be billed by it.
    this.#counts = { ...mergeCounts(objectOf(message["usage"]), NO_COUNTS), output: null };
    return [
      { kind: "start", id: textOf(message["id"]), model: textOf(message["model"]) },
      { kind: "usage", usage: usageOf(this.#counts) },
    ];
  }

  #begin(index: number | null, block: JsonObject | null): readonly AnswerEvent[] | null {
    if (!this.#started || index === null || block === null || this.#blocks.has(index)) return null;
    const head = headOf(block);
    if (head === null) {
      this.#blocks.set(index, { part: null, head, hasText: false });
      return NOTHING;
    }
    const part = this.#parts;
    this.#parts += 1;
    // A call begins with an empty object in place of its input; some servers give the whole input there.
    const whole = textOfBlock(block, head);
    const text = head.kind === "tool-call" && whole === "{}" ? "" : whole;
    this.#blocks.set(index, { part, head, hasText: text !== "" });
    const events: AnswerEvent[] = [{ kind: "part", index: part, head }];
    if (text !== "") events.push({ kind: "text", index: part, text });
    return events;
  }

  #delta(index: number | null, delta: JsonObject | null): readonly AnswerEvent[] | null {
    const block = index === null ? undefined : this.#blocks.get(index);
    if (block === undefined || delta === null) return null;
    const { part } = block;
    if (part === null) return NOTHING;
    const signature = textOf(delta["signature"]) ?? "";
    if (signature !== "") return [{ kind: "signature", index: part, signature }];
    const citation = objectOf(delta["citation"]);
    if (citation !== null) return [{ kind: "citation", index: part, citation: citationOf(citation) }];
    const text = textOf(delta["text"]) ?? textOf(delta["thinking"]) ?? textOf(delta["partial_json"]) ?? "";
    if (text === "") return NOTHING;
    block.hasText = true;
    return [{ kind: "text", index: part, text }];
  }

  #end(index: number | null): readonly AnswerEvent[] | null {
    const block = index === null ? undefined : this.#blocks.get(index);
    if (index === null || block === undefined) return null;
    this.#blocks.delete(index);
    const { part, head, hasText } = block;
    if (part === null) return NOTHING;
    const end: AnswerEvent = { kind: "part-end", index: part };
    // A call without arguments streams none, and is a call with an empty object.
    return head?.kind === "tool-call" && !hasText ? [{ kind: "text", index: part, text: "{}" }, end] : [end];
  }

  #messageDelta(delta: JsonObject | null, usage: JsonObject | null): readonly AnswerEvent[] | null {
    if (!this.#started || delta === null) return null;
    this.#counts = mergeCounts(usage, this.#counts);
    const reason = textOf(delta["stop_reason"]);
    const events: AnswerEvent[] = [];
    if (reason !== null) {
      events.push({ kind: "stop", reason: readStop(reason), stopSequence: textOf(delta["stop_sequence"]) });
    }
    events.push({ kind: "usage", usage: usageOf(this.#counts) });
    return events;
  }
}
