import { isObject, type JsonObject } from "../../src/wire/json.ts";
import { instanceOf } from "./instance.ts";

/** What a model is asked, whatever the API that says it. */
export interface Demand {
  /** The conversation's texts, in order, each with its role before it. */
  readonly prompt: readonly string[];
  readonly tools: readonly { readonly name: string; readonly schema: unknown }[];
  readonly choice: "auto" | "none" | "required" | { readonly name: string };
  /** The schema that the answer's text must fit, `json` for any, or null. */
  readonly form: JsonObject | "json" | null;
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  /** Ids of the calls in the conversation, and of their results. */
  readonly calls: readonly string[];
  readonly results: readonly string[];
}

/** One token of an answer's text and the likeliest ones in its place, itself first. */
export interface Token {
  readonly text: string;
  readonly top: readonly { readonly text: string; readonly logprob: number }[];
}

/** What the model says. */
export interface Reply {
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly call: { readonly id: string; readonly name: string; readonly input: JsonObject } | null;
  readonly end: "stop" | "length" | "call" | "sequence";
  readonly usage: { readonly prompt: number; readonly cached: number; readonly output: number };
}

const WORDS = "Light is cheap, and the night is long.";
const TOKEN_LENGTH = 4;
const MOST_TOP = 20;

/** A model that does what it is asked, to the letter and with no sense: enough to see whether an API's conversion asks it right. */
export class CapableModel {
  /** Prompts that it has read, whose beginnings it has cached. */
  readonly #read: string[] = [];

  /** The answer, or in words why the demand is refused. */
  answer(demand: Demand): Reply | string {
    const { tools, choice, calls, results } = demand;
    const orphan = results.find((id) => !calls.includes(id));
    if (orphan !== undefined) return `the result ${orphan} is of no call`;
    const named = typeof choice === "object" ? tools.find(({ name }) => name === choice.name) : tools[0];
    if (typeof choice === "object" && named === undefined) return `there is no tool ${choice.name}`;
    const usage = this.#count(demand.prompt.join("\n"));
    try {
      if (named !== undefined && (choice === "required" || typeof choice === "object")) {
        const input = instanceOf(named.schema ?? { type: "object" });
        const call = { id: `call${usage.prompt}`, name: named.name, input: isObject(input) ? input : {} };
        return { text: "", tokens: [], call, end: "call", usage: { ...usage, output: 3 } };
      }
      return said(textOf(demand), demand, usage);
    } catch (error) {
      return error instanceof Error ? error.message : "no such schema";
    }
  }

  #count(prompt: string): { readonly prompt: number; readonly cached: number } {
    const known = Math.max(0, ...this.#read.map((other) => commonLength(prompt, other)));
    this.#read.push(prompt);
    const tokens = Math.ceil(prompt.length / TOKEN_LENGTH);
    return { prompt: tokens, cached: Math.min(Math.floor(known / TOKEN_LENGTH), tokens - 1) };
  }
}

/** A vector of length 1 that says which letters a text has; null where there is no text. */
export function vectorOf(text: unknown): readonly number[] | null {
  if (typeof text !== "string" || text === "") return null;
  const counts = Array.from({ length: 16 }, () => 0);
  for (const letter of text)
    counts[(letter.codePointAt(0) ?? 0) % 16] = (counts[(letter.codePointAt(0) ?? 0) % 16] ?? 0) + 1;
  const length = Math.hypot(...counts);
  return counts.map((count) => count / length);
}

function textOf({ form }: Demand): string {
  if (form === null) return WORDS;
  return form === "json" ? '{"ok":true}' : JSON.stringify(instanceOf(form));
}

function said(full: string, { stop, maxTokens }: Demand, usage: Omit<Reply["usage"], "output">): Reply {
  const cuts = stop.map((sequence) => full.indexOf(sequence)).filter((at) => at !== -1);
  const text = cuts.length === 0 ? full : full.slice(0, Math.min(...cuts));
  const all = text.match(/[^]{1,4}/g) ?? [];
  const tokens = all.slice(0, maxTokens ?? all.length);
  const end = tokens.length < all.length ? "length" : cuts.length > 0 ? "sequence" : "stop";
  return {
    text: tokens.join(""),
    tokens: tokens.map(tokenOf),
    call: null,
    end,
    usage: { ...usage, output: tokens.length },
  };
}

function tokenOf(text: string): Token {
  const others = Array.from({ length: MOST_TOP - 1 }, (_, index) => ({ text: `other${index}`, logprob: -3 - index }));
  return { text, top: [{ text, logprob: -0.125 }, ...others] };
}

function commonLength(one: string, other: string): number {
  const most = Math.min(one.length, other.length);
  for (let at = 0; at < most; at += 1) if (one[at] !== other[at]) return at;
  return most;
}
