/** Tells an answer's words from the tool calls in it, as they come. */
import { randomInt } from "node:crypto";
import { overlap } from "../text.ts";
import { CallReader } from "./call-reader.ts";
import type { ToolFormat } from "./format.ts";

/** A piece of an answer: words, the beginning of a call, or more of the arguments of the call that began last. */
export type AnswerEvent =
  | { readonly kind: "content"; readonly text: string }
  | { readonly kind: "call"; readonly index: number; readonly id: string; readonly name: string }
  | { readonly kind: "arguments"; readonly index: number; readonly text: string };

/** Reads an answer without tools, or with them. */
export interface AnswerReader {
  push(text: string): readonly AnswerEvent[];
  /** What is left when nothing more comes. */
  end(): readonly AnswerEvent[];
  /** Calls that have begun so far. */
  readonly calls: number;
  /** Whether nothing that follows could belong to the answer. */
  readonly isComplete: boolean;
}

/** An answer in which nothing is a call. */
export class PlainReader implements AnswerReader {
  readonly calls = 0;
  readonly isComplete = false;

  push(text: string): readonly AnswerEvent[] {
    return text === "" ? [] : [{ kind: "content", text }];
  }

  end(): readonly AnswerEvent[] {
    return [];
  }
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const WHITE = /\s/;

/**
 * An answer that may call tools in one format. Whatever begins like a call and turns out to be none, such as one of a tool
 * that was never given, is words, exactly as they were written. Owned by one answer.
 */
export class ToolReader implements AnswerReader {
  readonly #format: ToolFormat;
  readonly #names: ReadonlySet<string>;
  readonly #parallel: boolean;
  /** `text` outside of calls, `between` after a marker or a call, `call` inside an object. */
  #place: "text" | "between" | "call" = "text";
  /** Text that may yet become a marker, or white space that a call may follow. */
  #held = "";
  /** What was written since the last marker or call, to be given back as words. */
  #raw = "";
  /** What came of the closing tag. */
  #closing = "";
  #call: CallReader | null = null;
  #isBegun = false;
  /** Whether a call was read since the last marker. */
  #hasCalled = false;
  #hasWords = false;
  #events: AnswerEvent[] = [];
  calls = 0;
  isComplete = false;

  constructor(format: ToolFormat, options: { readonly names: readonly string[]; readonly parallel: boolean }) {
    this.#format = format;
    this.#names = new Set(options.names);
    this.#parallel = options.parallel;
  }

  push(text: string): readonly AnswerEvent[] {
    for (const character of text) if (!this.isComplete) this.#take(character);
    return this.#drain();
  }

  end(): readonly AnswerEvent[] {
    const held = this.#held;
    this.#held = "";
    // White space after a call belongs to nobody.
    if (this.#place === "text" && (this.calls === 0 || held.trim() !== "")) this.#say(held);
    else if (this.#place !== "text" && !this.#isBegun && this.#raw.trim() !== "") this.#giveBack();
    return this.#drain();
  }

  #take(character: string): void {
    if (this.#place === "text") this.#takeText(character);
    else if (this.#place === "between") this.#takeBetween(character);
    else this.#takeCall(character);
  }

  #takeText(character: string): void {
    this.#held += character;
    const { open, bare, list } = this.#format;
    const isBare = bare && !this.#hasWords && this.calls === 0 && this.#held.trim() === (list.open || "{");
    if (isBare) {
      this.#enter(this.#held.slice(0, -1));
      this.#take(character);
      return;
    }
    if (open !== null && this.#held.endsWith(open)) {
      const before = this.#held.slice(0, -open.length);
      if (before.trim() !== "") this.#say(before.trimEnd());
      this.#enter(open);
      return;
    }
    const white = /\s*$/.exec(this.#held)?.[0].length ?? 0;
    const keep = Math.max(white, open === null ? 0 : withWhite(this.#held, overlap(this.#held, open)));
    this.#say(this.#held.slice(0, this.#held.length - keep));
    this.#held = this.#held.slice(this.#held.length - keep);
  }

  /** Goes from words to where a call's object is expected. */
  #enter(raw: string): void {
    this.#place = "between";
    this.#held = "";
    this.#raw = raw;
    this.#closing = "";
    this.#isBegun = false;
    this.#hasCalled = false;
  }

  #takeBetween(character: string): void {
    this.#raw += character;
    const { list } = this.#format;
    if (character === "{") {
      this.#place = "call";
      this.#call = new CallReader();
      this.#isBegun = false;
      this.#call.push(character);
      return;
    }
    if (WHITE.test(character) || (this.#closing === "" && isGlue(list, character))) return;
    this.#closing += character;
    // Tags around nothing are words.
    if (this.#closing === list.close && this.#hasCalled) this.#leave();
    else if (this.#closing === list.close) this.#giveBack();
    else if (!list.close.startsWith(this.#closing)) this.#giveBack();
  }

  #takeCall(character: string): void {
    this.#raw += character;
    const call = this.#call as CallReader;
    for (const event of call.push(character)) {
      if (event.kind === "name") this.#begin(event.name);
      else if (this.#isBegun) this.#events.push({ kind: "arguments", index: this.calls - 1, text: event.text });
      if (this.#place !== "call") return;
    }
    if (call.broken) this.#giveBack();
    else if (call.done) this.#endCall();
  }

  #begin(name: string): void {
    if (!this.#names.has(name)) {
      this.#giveBack();
      return;
    }
    this.#isBegun = true;
    this.#events.push({ kind: "call", index: this.calls, id: this.#newId(), name });
    this.calls += 1;
  }

  #endCall(): void {
    this.#place = "between";
    this.#hasCalled = true;
    this.#raw = "";
    this.#closing = "";
    this.#isBegun = false;
    if (!this.#parallel) this.isComplete = true;
  }

  /** Goes back to words after the end of a run of calls. */
  #leave(): void {
    this.#place = "text";
    this.#raw = "";
    this.#held = "";
  }

  /** This is no call after all: what was written is words, unless its call was told already and then broke. */
  #giveBack(): void {
    if (!this.#isBegun) this.#say(this.#raw);
    this.#leave();
  }

  #say(text: string): void {
    if (text === "") return;
    if (text.trim() !== "") this.#hasWords = true;
    this.#events.push({ kind: "content", text });
  }

  #newId(): string {
    const { prefix, length } = this.#format.id;
    return prefix + Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  }

  /** The events so far, neighbours of one kind as one. */
  #drain(): readonly AnswerEvent[] {
    const merged: AnswerEvent[] = [];
    for (const event of this.#events) {
      const last = merged.at(-1);
      if (event.kind === "call" || last?.kind !== event.kind) merged.push(event);
      else if (event.kind === "content")
        merged[merged.length - 1] = { ...event, text: (last as typeof event).text + event.text };
      else if ((last as typeof event).index !== event.index) merged.push(event);
      else merged[merged.length - 1] = { ...event, text: (last as typeof event).text + event.text };
    }
    this.#events = [];
    return merged;
  }
}

/** Whether a character only stands between calls. */
function isGlue(list: ToolFormat["list"], character: string): boolean {
  return list.open === character || list.separators.includes(character);
}

/** A part that may become a marker, with the white space before it. */
function withWhite(text: string, part: number): number {
  if (part === 0) return 0;
  const before = text.slice(0, text.length - part);
  return part + (before.length - before.trimEnd().length);
}
