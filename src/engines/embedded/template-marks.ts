/**
 * Tells what a chat template writes itself from what it passes on. In the template's own texts each control token becomes one
 * code unit that no caller's text can have; the rendered prompt then shows which control tokens are the template's.
 */
import { assert } from "../../base/assert.ts";
import type { ControlTokens, TextRange } from "./control-tokens.ts";
import { type Fields, isFields } from "./fields.ts";

/** A prompt, and where in it the template wrote control tokens, from the left. All else in it is text. */
export type RenderedPrompt = { readonly text: string; readonly controls: readonly TextRange[] };

/** A prompt as marks tell it; `marked` are the places of other characters that the template wrote. */
export type MarkedPrompt = RenderedPrompt & { readonly marked: ReadonlySet<number> };

/** Low surrogates that follow no high one: well-formed text has none, and after well-formed text they stay alone. */
const MARKS_FIRST = 0xdc00;
const MARKS_MAX = 1024;

/** Methods and functions whose arguments are compared with texts, or are for people, and are never written to the prompt. */
const READING_CALLS: ReadonlySet<string> = new Set(
  ["split", "rsplit", "startswith", "endswith", "strip", "lstrip", "rstrip", "replace", "find", "count", "get"].concat([
    "raise_exception",
    "strftime_now",
    "range",
  ]),
);
/** Filters whose arguments may be written to the prompt. */
const WRITING_FILTERS: ReadonlySet<string> = new Set(["default", "join"]);
const READING_OPERATORS: ReadonlySet<string> = new Set(["==", "!=", "in", "not in", "<", ">", "<=", ">="]);
/** The parts of a node that are only looked at. */
const READ_PARTS: Readonly<Record<string, readonly string[]>> = {
  If: ["test"],
  Ternary: ["condition"],
  SelectExpression: ["test"],
  TestExpression: ["operand", "test"],
  MemberExpression: ["property"],
};

/** The marks of one template. Owned by the compiled template; marks are only added, while it is compiled. */
export class TemplateMarks {
  readonly #controls: ControlTokens;
  readonly #isMarked: (character: string) => boolean;
  readonly #marks = new Map<string, string>();
  readonly #texts: string[] = [];

  /** `isMarked` says which characters are marked besides whole control tokens. */
  constructor(controls: ControlTokens, isMarked: (character: string) => boolean) {
    this.#controls = controls;
    this.#isMarked = isMarked;
  }

  /** A text of the template with its control tokens, and the characters to be marked, as marks. */
  mark(text: string): string {
    let marked = "";
    let at = 0;
    for (const { start, end } of [...this.#controls.find(text), { start: text.length, end: text.length }]) {
      for (const character of text.slice(at, start))
        marked += this.#isMarked(character) ? this.#markOf(character) : character;
      if (end > start) marked += this.#markOf(text.slice(start, end));
      at = end;
    }
    return marked;
  }

  /** Marks all texts of a parsed template, in place, but for those that it only compares with. */
  markTree(node: unknown): void {
    if (Array.isArray(node) || node instanceof Map) {
      for (const child of node.values()) this.markTree(child);
      return;
    }
    if (!isFields(node)) return;
    const type = String(node["type"]);
    if (type === "StringLiteral") (node as { value: string }).value = this.mark(valueOf(node));
    else if (type === "BinaryExpression" && READING_OPERATORS.has(valueOf(node["operator"]))) return;
    else for (const [name, child] of Object.entries(node)) if (!isRead(node, name)) this.markTree(child);
  }

  /** The prompt that a marked template rendered, with the control tokens that were whole in the template. */
  read(rendered: string): MarkedPrompt {
    let text = "";
    let at = 0;
    const controls: TextRange[] = [];
    const marked = new Set<number>();
    // A mark is a low surrogate by itself; those in pairs are parts of characters, which this expression steps over.
    for (const { index, 0: mark } of rendered.matchAll(/[\u{dc00}-\u{dfff}]/gu)) {
      text += rendered.slice(at, index);
      at = index + 1;
      const own = this.#texts[mark.charCodeAt(0) - MARKS_FIRST] ?? "";
      if (this.#controls.tokenOf(own) === undefined) marked.add(text.length);
      else controls.push({ start: text.length, end: text.length + own.length });
      text += own;
    }
    return { text: text + rendered.slice(at), controls, marked };
  }

  #markOf(text: string): string {
    const known = this.#marks.get(text);
    if (known !== undefined) return known;
    assert(this.#texts.length < MARKS_MAX, `a chat template with more than ${MARKS_MAX} control tokens`);
    const mark = String.fromCharCode(MARKS_FIRST + this.#texts.length);
    this.#texts.push(text);
    this.#marks.set(text, mark);
    return mark;
  }
}

/** Whether a template only looks at this part of a node, so that it must find there what callers write. */
function isRead(node: Fields, part: string): boolean {
  const type = String(node["type"]);
  if (READ_PARTS[type]?.includes(part) === true) return true;
  if (type === "CallExpression" && part === "args") return READING_CALLS.has(nameOf(node["callee"]));
  if (type.startsWith("Filter") && part === "filter")
    return !isFields(node[part]) || !WRITING_FILTERS.has(nameOf(node[part]["callee"]));
  return false;
}

/** The last name of what is called: `strip` of `message.content.strip`. */
function nameOf(callee: unknown): string {
  if (!isFields(callee)) return "";
  return valueOf(callee["type"] === "MemberExpression" ? callee["property"] : callee);
}

function valueOf(node: unknown): string {
  return isFields(node) && typeof node["value"] === "string" ? node["value"] : "";
}
