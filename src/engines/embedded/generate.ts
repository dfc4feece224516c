/** The loop that turns a prompt's tokens into an answer's text on one sequence. */
import { randomInt } from "node:crypto";
import type { LlamaContextSequence, LlamaGrammarEvaluationState, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { assert } from "../../base/assert.ts";
import { chanceOf, type TokenChance } from "./chances.ts";
import { ApiError } from "./errors.ts";
import type { Sampling } from "./request.ts";
import { sharedTokens } from "./slots.ts";
import type { StepGate } from "./step-gate.ts";
import { Detokenizer, StopScanner } from "./text.ts";

/** What to generate. */
export type Job = {
  /** The prompt; at least one token, and fewer than the sequence's context. */
  readonly prompt: Token[];
  /** Whether the answer's text continues the prompt's own, as in a completion, or starts afresh, as in a chat. */
  readonly continuesPrompt: boolean;
  readonly sampling: Sampling;
  /** The most tokens to generate, or null for as many as fit. */
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  /** What the text must keep to, or null; used up by one generation. */
  readonly grammar: LlamaGrammarEvaluationState | null;
  /** Whether each token's chance is told, with so many others; null tells none. */
  readonly logprobs: { readonly top: number } | null;
  /** Tokens of the model that are part of the text though the model counts them as control tokens, and how they are written. */
  readonly visible: ReadonlyMap<Token, string>;
  /** Asked after each piece: whether the answer needs no more. */
  readonly isEnough: () => boolean;
  /** The gate of the sequence's context. */
  readonly gate: StepGate;
  /** Ends the work within one step of the model. */
  readonly signal: AbortSignal;
};

/** A piece of the answer's text, perhaps empty, and the tokens that begin in it, where their chances are asked for. */
export type Piece = { readonly text: string; readonly chances: readonly PlacedChance[] };

/** A token's chance, with the place in the answer's text at which the token begins, in UTF-16 code units. */
export type PlacedChance = TokenChance & { readonly start: number };

/** Why the answer ended, and how many tokens went in and out. `completionTokens` counts the model's own end token too. */
export type Outcome = {
  readonly finishReason: "stop" | "length";
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
};

/** llama.cpp takes this seed to mean "random", so a caller's seed must never become it. */
const RANDOM_SEED = 0xffffffff;

/**
 * Computes the prompt, then generates, yielding pieces of text as they are certain, the first one (perhaps empty) with the
 * first token; returns the outcome. Throws the signal's reason when aborted, or llama.cpp's error, after which the caller
 * must clear the sequence.
 */
export async function* generate(sequence: LlamaContextSequence, job: Job): AsyncGenerator<Piece, Outcome, void> {
  const { prompt, signal, gate } = job;
  assert(prompt.length > 0 && prompt.length < sequence.contextSize, `a prompt of ${prompt.length} tokens does not fit`);
  const cachedTokens = await gate.step(() => reusePrefix(sequence, prompt));
  const rest = await computeAllButLast(sequence, prompt.slice(cachedTokens), job);
  // The token generated last needs no place in the context, hence one more than is free.
  const tokensMax = Math.min(job.maxTokens ?? Infinity, sequence.contextSize - prompt.length);
  const text = new AnswerText(sequence, job);
  const generated: Token[] = [];
  const outcome = (finishReason: Outcome["finishReason"]): Outcome => ({
    finishReason,
    promptTokens: prompt.length,
    cachedTokens,
    completionTokens: generated.length,
  });
  const wanted = { probabilities: (job.logprobs !== null) as true };
  const tokens = sequence.evaluateWithMetadata(rest, wanted, evaluateOptions(job, { generated, tokensMax }));
  try {
    for (;;) {
      const { value } = await gate.step(() => nextToken(tokens, job));
      signal.throwIfAborted();
      assert(value !== undefined, "the model stopped without an end token");
      const { token } = value;
      generated.push(token);
      const ended = sequence.model.isEogToken(token);
      if (!ended && job.logprobs !== null) text.note(chanceOf(token, value.probabilities, job.logprobs.top));
      const { piece, stopped } = text.push(ended ? null : token, ended || generated.length >= tokensMax);
      yield piece;
      if (stopped || ended || job.isEnough()) return outcome("stop");
      if (generated.length >= tokensMax) return outcome("length");
    }
  } finally {
    await tokens.return();
  }
}

/** Draws the next token. Throws `ApiError` 400 where the grammar asks for what no token can write. */
async function nextToken<T>(tokens: AsyncGenerator<T, void>, { grammar }: Job): Promise<IteratorResult<T, void>> {
  try {
    return await tokens.next();
  } catch (error) {
    const isStuck = grammar !== null && error instanceof Error && error.message === "Failed to sample next token";
    if (!isStuck) throw error;
    const message = "The grammar came to a place where no token of this model fits.";
    throw new ApiError(400, message, { param: "grammar", code: "invalid_value" });
  }
}

/** The text of one answer as its tokens come. Owned by one generation. */
class AnswerText {
  readonly #visible: Job["visible"];
  readonly #detokenizer: Detokenizer;
  readonly #scanner: StopScanner;
  #chances: PlacedChance[] = [];
  #written = 0;
  #shown = 0;

  constructor(sequence: LlamaContextSequence, job: Job) {
    this.#visible = job.visible;
    this.#detokenizer = new Detokenizer(sequence.model, job.continuesPrompt ? job.prompt : []);
    this.#scanner = new StopScanner(job.stop);
  }

  /** Keeps the chance of the token that comes next. */
  note(chance: TokenChance): void {
    this.#chances.push({ ...chance, start: this.#written });
  }

  /** Takes a token, or null for the model's end; at the last one, what was held back comes too. */
  push(token: Token | null, isLast: boolean): { readonly piece: Piece; readonly stopped: boolean } {
    const written = token === null ? this.#detokenizer.flush() : this.#write(token);
    const { shown, stopped } = this.#scan(written);
    if (stopped || !isLast) return { piece: this.#piece(shown), stopped };
    const rest = this.#scan(this.#detokenizer.flush());
    return {
      piece: this.#piece(shown + rest.shown + (rest.stopped ? "" : this.#scanner.flush())),
      stopped: rest.stopped,
    };
  }

  #write(token: Token): string {
    const visible = this.#visible.get(token);
    return visible === undefined ? this.#detokenizer.push(token) : this.#detokenizer.flush() + visible;
  }

  #scan(written: string): { readonly shown: string; readonly stopped: boolean } {
    this.#written += written.length;
    return this.#scanner.push(written);
  }

  /** A token's chance goes out with the first of its text; those of a stop sequence never do. */
  #piece(text: string): Piece {
    this.#shown += text.length;
    const chances = this.#chances.filter(({ start }) => start < this.#shown);
    this.#chances = this.#chances.filter(({ start }) => start >= this.#shown);
    return { text, chances };
  }
}

/** Drops what the sequence holds beyond the prompt's beginning; how many tokens of the prompt are left to reuse. */
async function reusePrefix(sequence: LlamaContextSequence, prompt: readonly Token[]): Promise<number> {
  // At least one token must be computed, since the next one is drawn from its output.
  const shared = Math.min(sharedTokens(sequence, prompt), prompt.length - 1);
  if (shared < sequence.nextTokenIndex) {
    await sequence.eraseContextTokenRanges([{ start: shared, end: sequence.nextTokenIndex }]);
  }
  return Math.min(shared, sequence.nextTokenIndex);
}

/**
 * Computes a long prompt in parts, each of which leaves room in the batch for the other sequences' next tokens, so that they
 * keep going and an abort need not wait for all of it. Returns the tokens still to compute.
 */
async function computeAllButLast(
  sequence: LlamaContextSequence,
  tokens: Token[],
  { gate, signal }: Job,
): Promise<Token[]> {
  const partTokens = Math.max(1, sequence.context.batchSize - sequence.context.totalSequences);
  let rest = tokens;
  while (rest.length > partTokens) {
    signal.throwIfAborted();
    await gate.step(() => sequence.evaluateWithoutGeneratingNewTokens(rest.slice(0, partTokens)));
    rest = rest.slice(partTokens);
  }
  signal.throwIfAborted();
  return rest;
}

function evaluateOptions(job: Job, run: { generated: Token[]; tokensMax: number }): SequenceEvaluateOptions {
  const { temperature, topP, topK, minP, frequencyPenalty, presencePenalty } = job.sampling;
  const options: SequenceEvaluateOptions = {
    temperature,
    topP,
    topK,
    minP,
    seed: seedOf(job.sampling.seed),
    yieldEogToken: true,
    ...(job.grammar === null ? {} : { grammarEvaluationState: job.grammar }),
    // A context shift would forget the beginning of the prompt without a word; `tokensMax` makes it unnecessary.
    contextShift: { strategy: () => assert(false, "the context must never overflow") as never },
  };
  if (frequencyPenalty === 0 && presencePenalty === 0) return options;
  const repeatPenalty = {
    punishTokens: () => run.generated,
    maxPunishTokens: run.tokensMax,
    penalty: 1,
    frequencyPenalty,
    presencePenalty,
  };
  return { ...options, repeatPenalty };
}

/** A seed as the unsigned 32 bits that llama.cpp takes; a random one for null. */
function seedOf(seed: number | null): number {
  if (seed === null) return randomInt(RANDOM_SEED);
  const bits = Number(BigInt.asUintN(32, BigInt(seed)));
  return bits === RANDOM_SEED ? RANDOM_SEED - 1 : bits;
}
