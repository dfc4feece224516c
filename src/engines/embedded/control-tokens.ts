/** The control tokens of a model's vocabulary, by the texts that a tokenizer would read as them. */
import type { LlamaModel, Token } from "node-llama-cpp";
import { ApiError } from "./errors.ts";

/** A stretch of a text, in UTF-16 code units; `end` is not in it. */
export type TextRange = { readonly start: number; readonly end: number };

/** What is needed of a model to know its control tokens. */
export type Vocabulary = Pick<LlamaModel, "iterateAllTokens" | "getTokenAttributes" | "detokenize">;

/** Texts that stand for control tokens. Never changes; owned by the loaded engine. */
export class ControlTokens {
  readonly #tokens: ReadonlyMap<string, Token>;
  readonly #control: ReadonlySet<Token>;
  /** What any of the texts begins with: long prompts have few such places. */
  readonly #first: string;
  /** Lengths of the texts that begin with a code unit, longest first. */
  readonly #lengths = new Map<string, number[]>();

  /** `tokens` by their texts, none of which is empty; those in `control` come from nothing but such texts. */
  constructor(tokens: ReadonlyMap<string, Token>, control: ReadonlySet<Token>) {
    this.#tokens = tokens;
    this.#control = control;
    for (const text of tokens.keys()) {
      const lengths = this.#lengths.get(text.charAt(0)) ?? [];
      if (!lengths.includes(text.length)) lengths.push(text.length);
      this.#lengths.set(text.charAt(0), lengths);
    }
    for (const lengths of this.#lengths.values()) lengths.sort((one, other) => other - one);
    const units = [...this.#lengths.keys()].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    this.#first = `[${units.join("")}]`;
  }

  /** Those of a model: its control tokens and the one for what is unknown. llama.cpp reads no others apart on request. */
  static of(model: Vocabulary): ControlTokens {
    const tokens = new Map<string, Token>();
    const controls = new Set<Token>();
    for (const token of model.iterateAllTokens()) {
      const { control, unknown } = model.getTokenAttributes(token);
      if (control) controls.add(token);
      const text = control || unknown ? model.detokenize([token], true) : "";
      if (text !== "") tokens.set(text, token);
    }
    return new ControlTokens(tokens, controls);
  }

  /** All texts. */
  get texts(): readonly string[] {
    return [...this.#tokens.keys()];
  }

  /** The token of a text, or undefined if the text is none. */
  tokenOf(text: string): Token | undefined {
    return this.#tokens.get(text);
  }

  /** Whether a token is a control token. The one for what is unknown is none: any text may lead to it. */
  isControl(token: Token): boolean {
    return this.#control.has(token);
  }

  /** Where control tokens stand in `text`: from the left, the longest at each place. */
  find(text: string): readonly TextRange[] {
    const found: TextRange[] = [];
    const first = new RegExp(this.#first, "g");
    for (let match = first.exec(text); match !== null; match = first.exec(text)) {
      const start = match.index;
      const length = this.#lengths
        .get(text.charAt(start))
        ?.find((each) => this.#tokens.has(text.slice(start, start + each)));
      if (length === undefined) continue;
      found.push({ start, end: start + length });
      first.lastIndex = start + length;
    }
    return found;
  }
}

/** The error where callers' text would become control tokens. */
export function controlsMixed(): ApiError {
  const message =
    "The messages contain text that this model reads as control tokens, and its chat template does not keep them apart from its own. Leave such text out.";
  return new ApiError(400, message, { param: "messages", code: "invalid_value" });
}
