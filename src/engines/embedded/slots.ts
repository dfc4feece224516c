/** Hands the context's sequences to requests: one each, the rest wait in order of arrival. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { assert } from "../../base/assert.ts";

type Waiter = {
  readonly accept: (sequence: LlamaContextSequence) => void;
  readonly signal: AbortSignal;
  readonly forget: () => void;
};

/**
 * The sequences of one context. Owned by the loaded engine. A sequence keeps the tokens of its last request, so that the next
 * one with the same beginning need not compute it again.
 */
export class SlotPool {
  /** Longest idle first, so that among equals the most recent contents live longest. */
  readonly #free: LlamaContextSequence[];
  readonly #waiting: Waiter[] = [];
  readonly #all: readonly LlamaContextSequence[];

  constructor(sequences: readonly LlamaContextSequence[]) {
    this.#free = [...sequences];
    this.#all = sequences;
  }

  /** Requests being computed, and those waiting. */
  get load(): { readonly busy: number; readonly waiting: number } {
    return { busy: this.#all.length - this.#free.length, waiting: this.#waiting.length };
  }

  /** Tokens that the model has really computed since the start, of prompts and of answers. */
  get computedTokens(): number {
    return this.#all.reduce((sum, { tokenMeter }) => sum + tokenMeter.usedInputTokens + tokenMeter.usedOutputTokens, 0);
  }

  /**
   * A sequence for a prompt: of those free, the one that shares the longest beginning with it. Waits its turn if none is.
   * Rejects with the signal's reason, and leaves the queue, once `signal` aborts. The caller must `give` it back.
   */
  take(prompt: readonly Token[], signal: AbortSignal): Promise<LlamaContextSequence> {
    signal.throwIfAborted();
    const best = this.#free.reduce<LlamaContextSequence | null>((chosen, candidate) => {
      return chosen !== null && sharedTokens(chosen, prompt) >= sharedTokens(candidate, prompt) ? chosen : candidate;
    }, null);
    if (best !== null) {
      this.#free.splice(this.#free.indexOf(best), 1);
      return Promise.resolve(best);
    }
    return new Promise((accept, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = { accept, signal, forget: () => signal.removeEventListener("abort", leave) };
      this.#waiting.push(waiter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Gives a sequence back: to the request that has waited longest, if any. */
  give(sequence: LlamaContextSequence): void {
    assert(!this.#free.includes(sequence), "a sequence was given back twice");
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#free.push(sequence);
      return;
    }
    next.forget();
    next.accept(sequence);
  }
}

/** How many tokens at the beginning of `prompt` the sequence has computed already. */
export function sharedTokens(sequence: LlamaContextSequence, prompt: readonly Token[]): number {
  const held = sequence.contextTokens;
  let shared = 0;
  while (shared < held.length && shared < prompt.length && held[shared] === prompt[shared]) shared++;
  return shared;
}
