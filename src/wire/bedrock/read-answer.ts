import { type AnswerEvent, type AnswerPartHead, answerOf, type FormAnswer } from "../form/answer.ts";
import type { AnswerReader } from "../form/shape.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { jsonOf } from "../reading.ts";
import { readBedrockUsage, readCitation, readStop } from "./read-blocks.ts";

const FOREIGN = "the answer holds a block that cannot be passed on";

/** A content block that has begun. */
interface Block {
  /** Its part; null while nothing was told of it. */
  index: number | null;
  kind: AnswerPartHead["kind"] | null;
  hasText: boolean;
  /** A thought that only its provider reads, which is told whole. */
  redacted: Buffer | null;
}

/**
 * Reads the events of `ConverseStream`, each given as an object with the event's type as its one member. `metadata` is the last.
 * Owned by one attempt.
 */
export class BedrockReader implements AnswerReader {
  #parts = 0;
  readonly #blocks = new Map<number, Block>();
  #stopped = false;
  #done = false;

  push(data: string): readonly AnswerEvent[] | null {
    const value = jsonOf(data);
    if (!isObject(value)) return null;
    const [entry, ...more] = Object.entries(value);
    if (entry === undefined || more.length > 0 || !isObject(entry[1])) return null;
    return this.take(...entry);
  }

  end(): readonly AnswerEvent[] | null {
    if (this.#done) return [];
    return this.#stopped ? [{ kind: "done" }] : null;
  }

  /** The events of one event; null when it is none of this shape. */
  take(type: string, value: unknown): readonly AnswerEvent[] | null {
    if (!isObject(value)) return null;
    if (/(?:Exception|Error)$/.test(type)) {
      return [{ kind: "failed", message: textOf(value["message"]) ?? textOf(value["Message"]) ?? type }];
    }
    switch (type) {
      case "messageStart":
        return [{ kind: "start", id: null, model: null }];
      case "contentBlockStart":
        return this.#begin(value);
      case "contentBlockDelta":
        return this.#delta(value);
      case "contentBlockStop":
        return this.#finish(value);
      case "messageStop":
        return this.#stop(value);
      case "metadata":
        return this.#metadata(value);
      default:
        // Kinds of events that came later are no part of the answer.
        return [];
    }
  }

  #begin(value: JsonObject): readonly AnswerEvent[] | null {
    const [at, start] = [numberOf(value["contentBlockIndex"]), objectOf(value["start"])];
    if (at === null || start === null || this.#blocks.has(at)) return null;
    const { toolUse } = start;
    if (toolUse === undefined) return Object.keys(start).length === 0 ? [] : [{ kind: "failed", message: FOREIGN }];
    const use = objectOf(toolUse);
    const [id, name] = [textOf(use?.["toolUseId"]), textOf(use?.["name"])];
    if (id === null || name === null) return null;
    const events: AnswerEvent[] = [];
    this.#open(this.#block(at), { kind: "tool-call", id, name }, events);
    return events;
  }

  #delta(value: JsonObject): readonly AnswerEvent[] | null {
    const [at, delta] = [numberOf(value["contentBlockIndex"]), objectOf(value["delta"])];
    if (at === null || delta === null || this.#stopped) return null;
    const block = this.#block(at);
    const events: AnswerEvent[] = [];
    const { text, toolUse, reasoningContent, citation } = delta;
    const foreign = Object.keys(delta).some((name) => !DELTAS.has(name));
    if (foreign) return [{ kind: "failed", message: FOREIGN }];
    if (text !== undefined && !this.#tell(block, { kind: "text" }, { text, events })) return null;
    if (toolUse !== undefined) {
      if (block.kind !== "tool-call" || !isObject(toolUse)) return null;
      if (!this.#tell(block, null, { text: toolUse["input"], events })) return null;
    }
    if (reasoningContent !== undefined) {
      if (!isObject(reasoningContent) || !this.#think(block, reasoningContent, events)) return null;
    }
    if (isObject(citation)) {
      const index = this.#open(block, { kind: "text" }, events);
      if (index === null) return null;
      events.push({ kind: "citation", index, citation: readCitation(citation) });
    }
    return events;
  }

  #think(block: Block, thought: JsonObject, events: AnswerEvent[]): boolean {
    const { text, signature, redactedContent } = thought;
    if (text !== undefined && !this.#tell(block, { kind: "reasoning" }, { text, events })) return false;
    if (typeof signature === "string") {
      const index = this.#open(block, { kind: "reasoning" }, events);
      if (index === null) return false;
      events.push({ kind: "signature", index, signature });
    }
    if (typeof redactedContent === "string") {
      if (block.kind !== null && block.kind !== "encrypted-reasoning") return false;
      block.kind = "encrypted-reasoning";
      block.redacted = Buffer.concat([block.redacted ?? Buffer.alloc(0), Buffer.from(redactedContent, "base64")]);
    }
    return true;
  }

  #finish(value: JsonObject): readonly AnswerEvent[] | null {
    const at = numberOf(value["contentBlockIndex"]);
    if (at === null) return null;
    const block = this.#blocks.get(at);
    this.#blocks.delete(at);
    return block === undefined ? [] : this.#end(block);
  }

  #end(block: Block): readonly AnswerEvent[] {
    const events: AnswerEvent[] = [];
    if (block.redacted !== null) {
      const data = block.redacted.toString("base64");
      block.index = this.#next();
      events.push({ kind: "part", index: block.index, head: { kind: "encrypted-reasoning", data } });
    }
    if (block.index === null) return events;
    // A call without arguments is told without any; its clients parse them.
    if (block.kind === "tool-call" && !block.hasText) events.push({ kind: "text", index: block.index, text: "{}" });
    events.push({ kind: "part-end", index: block.index });
    return events;
  }

  #stop(value: JsonObject): readonly AnswerEvent[] | null {
    const stop = readStop(value["stopReason"], value["additionalModelResponseFields"]);
    if (stop === null || this.#stopped) return null;
    const open = [...this.#blocks.values()].flatMap((block) => this.#end(block));
    this.#blocks.clear();
    this.#stopped = true;
    return [...open, stop];
  }

  #metadata(value: JsonObject): readonly AnswerEvent[] | null {
    if (!this.#stopped || this.#done) return null;
    this.#done = true;
    const usage = readBedrockUsage(value["usage"]);
    return [...(usage === null ? [] : [{ kind: "usage", usage } as const]), { kind: "done" }];
  }

  #block(at: number): Block {
    const known = this.#blocks.get(at);
    if (known !== undefined) return known;
    const block: Block = { index: null, kind: null, hasText: false, redacted: null };
    this.#blocks.set(at, block);
    return block;
  }

  /** The part of a block, which begins here where nothing was told of it; null where it is of another kind. */
  #open(block: Block, head: AnswerPartHead | null, events: AnswerEvent[]): number | null {
    if (block.kind !== null) return head === null || block.kind === head.kind ? block.index : null;
    if (head === null) return null;
    block.kind = head.kind;
    block.index = this.#next();
    events.push({ kind: "part", index: block.index, head });
    return block.index;
  }

  #tell(
    block: Block,
    head: AnswerPartHead | null,
    of: { readonly text: unknown; readonly events: AnswerEvent[] },
  ): boolean {
    if (typeof of.text !== "string") return false;
    if (of.text === "") return true;
    const index = this.#open(block, head, of.events);
    if (index === null) return false;
    block.hasText = true;
    of.events.push({ kind: "text", index, text: of.text });
    return true;
  }

  #next(): number {
    this.#parts += 1;
    return this.#parts - 1;
  }
}

const DELTAS: ReadonlySet<string> = new Set(["text", "toolUse", "reasoningContent", "citation"]);

/** A whole answer's form: that of the stream which tells the same. */
export function readBedrockAnswer(
  value: unknown,
): FormAnswer | { readonly kind: "failed"; readonly message: string } | null {
  const message = isObject(value) ? objectOf(objectOf(value["output"])?.["message"]) : null;
  if (!isObject(value) || message === null || !Array.isArray(message["content"])) return null;
  const reader = new BedrockReader();
  const events: AnswerEvent[] = [{ kind: "start", id: null, model: null }];
  const blocks = message["content"].map((block, at) => streamed(block, at));
  const told = [
    ...blocks.flat(),
    {
      messageStop: {
        stopReason: value["stopReason"],
        additionalModelResponseFields: value["additionalModelResponseFields"],
      },
    },
    { metadata: { usage: value["usage"] } },
  ];
  for (const each of told) {
    const [entry] = each === null ? [] : Object.entries(each);
    const read = entry === undefined ? null : reader.take(...entry);
    if (read === null) return null;
    events.push(...read);
  }
  const failure = events.find((event) => event.kind === "failed");
  return failure ?? answerOf(events);
}

/** The events that tell one block of a whole answer; null when it is none. */
function streamed(block: unknown, contentBlockIndex: number): readonly (JsonObject | null)[] {
  if (!isObject(block)) return [null];
  const delta = (value: JsonObject): JsonObject => ({ contentBlockDelta: { contentBlockIndex, delta: value } });
  const stop = { contentBlockStop: { contentBlockIndex } };
  const { toolUse, reasoningContent, citationsContent } = block;
  if (isObject(toolUse)) {
    const { input = {}, ...start } = toolUse;
    const begun = { contentBlockStart: { contentBlockIndex, start: { toolUse: start } } };
    return [begun, delta({ toolUse: { input: JSON.stringify(input) } }), stop];
  }
  if (isObject(reasoningContent)) {
    const { reasoningText, ...redacted } = reasoningContent;
    return [delta({ reasoningContent: isObject(reasoningText) ? reasoningText : redacted }), stop];
  }
  if (isObject(citationsContent)) {
    const texts = arrayOf(citationsContent["content"]).filter(isObject);
    const citations = arrayOf(citationsContent["citations"]).filter(isObject);
    return [...texts.map(({ text }) => delta({ text })), ...citations.map((citation) => delta({ citation })), stop];
  }
  return [delta(block), stop];
}
