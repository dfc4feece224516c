/** From tokens to text that may be shown: whole characters only, and nothing of a stop sequence. */
import type { LlamaModel, Token } from "node-llama-cpp";

/** What the decoder of UTF-8 writes for bytes that are no character, or not yet one. */
export const REPLACEMENT = "\ufffd";
/** How many earlier tokens a detokenizer may look at to decide on a space. */
const RECENT_TOKENS = 4;
/** A character takes at most four tokens, so a longer wait can only be for bytes that never become one. */
const PENDING_TOKENS_MAX = 16;

/**
 * Turns tokens into text, holding back a character until all its bytes have come. Owned by one generation.
 */
export class Detokenizer {
  readonly #model: Pick<LlamaModel, "detokenize">;
  #recent: Token[];
  #pending: Token[] = [];
  #shownCharacters = 0;

  /** `before` is the text's tokens so far, for tokenizers that write a space by what came before. */
  constructor(model: Pick<LlamaModel, "detokenize">, before: readonly Token[]) {
    this.#model = model;
    this.#recent = before.slice(-RECENT_TOKENS);
  }

  /** The text that `token` completes, which may be empty. */
  push(token: Token): string {
    this.#pending.push(token);
    const text = this.#model.detokenize(this.#pending, false, this.#recent);
    // Only the last character can still change: an invalid byte before it was decided when the next one came.
    const waits = text.endsWith(REPLACEMENT) && this.#pending.length < PENDING_TOKENS_MAX;
    const stable = waits ? text.slice(0, -REPLACEMENT.length) : text;
    const shown = stable.slice(this.#shownCharacters);
    this.#shownCharacters = Math.max(this.#shownCharacters, stable.length);
    if (!waits) this.#settle();
    return shown;
  }

  /** The text still held back at the end: bytes that no further token will complete. */
  flush(): string {
    if (this.#pending.length === 0) return "";
    const text = this.#model.detokenize(this.#pending, false, this.#recent).slice(this.#shownCharacters);
    this.#settle();
    return text;
  }

  #settle(): void {
    this.#recent = [...this.#recent, ...this.#pending].slice(-RECENT_TOKENS);
    this.#pending = [];
    this.#shownCharacters = 0;
  }
}

/**
 * Passes text on until a stop sequence appears, holding back whatever could still become one. Owned by one generation.
 */
export class StopScanner {
  readonly #stop: readonly string[];
  #held = "";

  /** `stop` are the sequences, none of them empty. */
  constructor(stop: readonly string[]) {
    this.#stop = stop;
  }

  /** Takes more text: what may be shown, and whether a stop sequence came right after it. */
  push(text: string): { readonly shown: string; readonly stopped: boolean } {
    const whole = this.#held + text;
    const found = this.#stop.map((stop) => whole.indexOf(stop)).filter((index) => index >= 0);
    if (found.length > 0) {
      this.#held = "";
      return { shown: whole.slice(0, Math.min(...found)), stopped: true };
    }
    const heldLength = Math.max(0, ...this.#stop.map((stop) => overlap(whole, stop)));
    this.#held = whole.slice(whole.length - heldLength);
    return { shown: whole.slice(0, whole.length - heldLength), stopped: false };
  }

  /** The text held back, once it is certain that nothing follows. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }
}

/** The length of the longest end of `text` that is a beginning, but not the whole, of `stop`. */
export function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
