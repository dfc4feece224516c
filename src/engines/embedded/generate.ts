/** The loop that turns a prompt's tokens into an answer's text on one sequence. */
import { randomInt } from "node:crypto";
import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { assert } from "../../base/assert.ts";
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
  /** The gate of the sequence's context. */
  readonly gate: StepGate;
  /** Ends the work within one step of the model. */
  readonly signal: AbortSignal;
};

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
export async function* generate(sequence: LlamaContextSequence, job: Job): AsyncGenerator<string, Outcome, void> {
  const { prompt, signal, gate } = job;
  assert(prompt.length > 0 && prompt.length < sequence.contextSize, `a prompt of ${prompt.length} tokens does not fit`);
  const cachedTokens = await gate.step(() => reusePrefix(sequence, prompt));
  const rest = await computeAllButLast(sequence, prompt.slice(cachedTokens), job);
  // The token generated last needs no place in the context, hence one more than is free.
  const tokensMax = Math.min(job.maxTokens ?? Infinity, sequence.contextSize - prompt.length);
  const detokenizer = new Detokenizer(sequence.model, job.continuesPrompt ? prompt : []);
  const scanner = new StopScanner(job.stop);
  const generated: Token[] = [];
  const outcome = (finishReason: Outcome["finishReason"]): Outcome => ({
    finishReason,
    promptTokens: prompt.length,
    cachedTokens,
    completionTokens: generated.length,
  });
  const tokens = sequence.evaluate(rest, evaluateOptions(job, { generated, tokensMax }));
  try {
    for (;;) {
      const { value: token } = await gate.step(() => tokens.next());
      signal.throwIfAborted();
      assert(token !== undefined, "the model stopped without an end token");
      generated.push(token);
      const ended = sequence.model.isEogToken(token);
      const { shown, stopped } = scanner.push(ended ? detokenizer.flush() : detokenizer.push(token));
      if (stopped || ended || generated.length >= tokensMax) {
        yield stopped ? shown : shown + lastText(detokenizer, scanner);
        return outcome(stopped || ended ? "stop" : "length");
      }
      yield shown;
    }
  } finally {
    await tokens.return();
  }
}

/** What was held back for a character or a stop sequence that can no longer come. */
function lastText(detokenizer: Detokenizer, scanner: StopScanner): string {
  const { shown, stopped } = scanner.push(detokenizer.flush());
  return stopped ? shown : shown + scanner.flush();
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
