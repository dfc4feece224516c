import type { Figure, Receipt } from "./receipt.ts";
import { NO_RUN_LIMITS, type RunLimits, tighten } from "./run.ts";

/** A sum over steps: the known part, how many steps' figures were unknown in whole or in part, and the largest known one. */
export interface RunSum {
  value: number;
  unknownSteps: number;
  largest: number;
}

/** What a run's steps have used, as far as their receipts were made. */
export interface RunTotals {
  /** Input and output together. */
  readonly tokens: RunSum;
  readonly inputTokens: RunSum;
  readonly cachedInputTokens: RunSum;
  readonly outputTokens: RunSum;
  readonly reasoningTokens: RunSum;
  readonly costNanoUsd: RunSum;
  readonly energyMilliJoules: RunSum;
  readonly carbonMicrograms: RunSum;
}

/** What a run's receipts tell of it. Plain data, owned by whoever folds it. */
export interface RunRecord {
  /** The highest number of a step. */
  steps: number;
  /** Arrival of the first step and end of the last, Unix milliseconds; null before there is one. */
  firstWallMs: number | null;
  lastWallMs: number | null;
  /** The tightest of what was in force. */
  limits: RunLimits;
  readonly totals: RunTotals;
}

/** A run without receipts. */
export function newRunRecord(): RunRecord {
  const sum = (): RunSum => ({ value: 0, unknownSteps: 0, largest: 0 });
  return {
    steps: 0,
    firstWallMs: null,
    lastWallMs: null,
    limits: NO_RUN_LIMITS,
    totals: {
      tokens: sum(),
      inputTokens: sum(),
      cachedInputTokens: sum(),
      outputTokens: sum(),
      reasoningTokens: sum(),
      costNanoUsd: sum(),
      energyMilliJoules: sum(),
      carbonMicrograms: sum(),
    },
  };
}

/** What is held against a limit for a sum: the known part, and for each step whose figure is unknown the largest known one. */
export function heldOf(sum: RunSum): number {
  return sum.value + sum.unknownSteps * sum.largest;
}

/**
 * Adds a receipt of the run to its record. The order does not matter, so a run's record can be made again from the store. A
 * call that was refused by a limit is no step and used nothing; one that was never sent used nothing either, and that is known.
 */
export function addToRun(record: RunRecord, receipt: Receipt): void {
  if (receipt.runLimits !== null) record.limits = tighten(record.limits, receipt.runLimits);
  if (receipt.step === null) return;
  record.steps = Math.max(record.steps, receipt.step);
  const endWallMs = receipt.arrivedWallMs + Math.floor((receipt.time.e2eUs.value ?? 0) / 1000);
  record.firstWallMs = Math.min(record.firstWallMs ?? receipt.arrivedWallMs, receipt.arrivedWallMs);
  record.lastWallMs = Math.max(record.lastWallMs ?? endWallMs, endWallMs);
  if (receipt.backendId === null) return;
  const { totals } = record;
  const { input, cachedInput, output, reasoning } = receipt.tokens;
  add(totals.tokens, {
    value: input.value === null && output.value === null ? null : (input.value ?? 0) + (output.value ?? 0),
    isWhole: isWhole(input) && isWhole(output),
  });
  addFigure(totals.inputTokens, input);
  addFigure(totals.cachedInputTokens, cachedInput);
  addFigure(totals.outputTokens, output);
  addFigure(totals.reasoningTokens, reasoning);
  addFigure(totals.costNanoUsd, receipt.costNanoUsd);
  addFigure(totals.energyMilliJoules, receipt.energyMilliJoules);
  addFigure(totals.carbonMicrograms, receipt.carbonMicrograms);
}

/** A figure without an upper bound is known in part only. */
function isWhole(figure: Figure): boolean {
  return figure.value !== null && figure.high !== null;
}

function addFigure(sum: RunSum, figure: Figure): void {
  add(sum, { value: figure.value, isWhole: isWhole(figure) });
}

function add(sum: RunSum, figure: { readonly value: number | null; readonly isWhole: boolean }): void {
  sum.value += figure.value ?? 0;
  sum.largest = Math.max(sum.largest, figure.value ?? 0);
  if (!figure.isWhole) sum.unknownSteps += 1;
}
