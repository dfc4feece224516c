/** The control tokens of a model's vocabulary, by the texts that a tokenizer would read as them. */
import type { LlamaModel, Token } from "node-llama-cpp";

/** A stretch of a text, in UTF-16 code units; `end` is not in it. */
export type TextRange = { readonly start: number; readonly end: number };

/** What is needed of a model to know its control tokens. */
export type Vocabulary = Pick<LlamaModel, "iterateAllTokens" | "getTokenAttributes" | "detokenize">;

/** Texts that stand for control tokens. Never changes; owned by the loaded engine. */
export class ControlTokens {
  readonly #tokens: ReadonlyMap<string, Token>;
  /** Lengths of the texts that begin with a code unit, longest first. */
  readonly #lengths = new Map<string, number[]>();

  /** `tokens` by their texts, none of which is empty. */
  constructor(tokens: ReadonlyMap<string, Token>) {
    this.#tokens = tokens;
    for (const text of tokens.keys()) {
      const lengths = this.#lengths.get(text.charAt(0)) ?? [];
      if (!lengths.includes(text.length)) lengths.push(text.length);
      this.#lengths.set(text.charAt(0), lengths);
    }
    for (const lengths of this.#lengths.values()) lengths.sort((one, other) => other - one);
  }

  /** Those of a model: its control tokens and the one for what is unknown. llama.cpp reads no others apart on request. */
  static of(model: Vocabulary): ControlTokens {
    const tokens = new Map<string, Token>();
    for (const token of model.iterateAllTokens()) {
      const { control, unknown } = model.getTokenAttributes(token);
      const text = control || unknown ? model.detokenize([token], true) : "";
      if (text !== "") tokens.set(text, token);
    }
    return new ControlTokens(tokens);
  }

  /** All texts. */
  get texts(): readonly string[] {
    return [...this.#tokens.keys()];
  }

  /** The token of a text, or undefined if the text is none. */
  tokenOf(text: string): Token | undefined {
    return this.#tokens.get(text);
  }

  /** Where control tokens stand in `text`: from the left, the longest at each place. */
  find(text: string): readonly TextRange[] {
    const found: TextRange[] = [];
    for (let start = 0; start < text.length; start++) {
      const length = this.#lengths
        .get(text.charAt(start))
        ?.find((each) => this.#tokens.has(text.slice(start, start + each)));
      if (length === undefined) continue;
      found.push({ start, end: start + length });
      start += length - 1;
    }
    return found;
  }
}
