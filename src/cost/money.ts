import { mulDivRound } from "../base/integers.ts";
import type { Usage } from "../base/job.ts";
import type { CostLine } from "../base/receipt.ts";

/** A price list of one backend: integer nano-dollars per million tokens. Null falls back to input or output. */
export interface TokenPrice {
  readonly inputNanoUsdPerMillion: number;
  readonly cachedInputNanoUsdPerMillion: number | null;
  /** For input that was written to the provider's cache. */
  readonly cacheWriteNanoUsdPerMillion: number | null;
  readonly outputNanoUsdPerMillion: number;
  readonly reasoningNanoUsdPerMillion: number | null;
}

const TOKENS_PER_PRICE = 1_000_000;
const MILLIJOULES_PER_KWH = 3_600_000_000;

/**
 * The lines of a bill by price list; each line is rounded once, half up. Null when the input or output count is unknown,
 * since half a bill is not a bill.
 */
export function tokenCostLines(usage: Usage, price: TokenPrice): readonly CostLine[] | null {
  if (usage.inputTokens === null || usage.outputTokens === null) return null;
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  const written = Math.min(usage.cacheWriteTokens ?? 0, usage.inputTokens - cached);
  const reasoning = Math.min(usage.reasoningTokens ?? 0, usage.outputTokens);
  const splitInput = price.cachedInputNanoUsdPerMillion !== null && cached > 0;
  const splitWrite = price.cacheWriteNanoUsdPerMillion !== null && written > 0;
  const splitOutput = price.reasoningNanoUsdPerMillion !== null && reasoning > 0;
  const lines: CostLine[] = [];
  const add = (item: CostLine["item"], quantity: number, priceNanoUsd: number): void => {
    lines.push({
      item,
      quantity,
      unit: "token",
      priceNanoUsd,
      amountNanoUsd: mulDivRound(quantity, priceNanoUsd, TOKENS_PER_PRICE),
    });
  };
  const plain = usage.inputTokens - (splitInput ? cached : 0) - (splitWrite ? written : 0);
  add("input", plain, price.inputNanoUsdPerMillion);
  if (splitInput) add("cached_input", cached, price.cachedInputNanoUsdPerMillion ?? 0);
  if (splitWrite) add("cache_write", written, price.cacheWriteNanoUsdPerMillion ?? 0);
  add("output", splitOutput ? usage.outputTokens - reasoning : usage.outputTokens, price.outputNanoUsdPerMillion);
  if (splitOutput) add("reasoning", reasoning, price.reasoningNanoUsdPerMillion ?? 0);
  return lines;
}

/** The most that so many tokens may cost by a price list, whichever of them are cached or reasoning. */
export function tokenCostCeiling(inputTokens: number, outputTokens: number, price: TokenPrice): number {
  const input = Math.max(price.inputNanoUsdPerMillion, price.cachedInputNanoUsdPerMillion ?? 0);
  const output = Math.max(price.outputNanoUsdPerMillion, price.reasoningNanoUsdPerMillion ?? 0);
  // Each of up to four lines is rounded by itself, by half a nano-dollar at most.
  return 2 + Math.ceil((inputTokens / TOKENS_PER_PRICE) * input + (outputTokens / TOKENS_PER_PRICE) * output);
}

/** The line of an electricity bill for `millijoules` at `nanoUsdPerKwh`. */
export function electricityLine(millijoules: number, nanoUsdPerKwh: number): CostLine {
  return {
    item: "electricity",
    quantity: millijoules,
    unit: "millijoule",
    priceNanoUsd: nanoUsdPerKwh,
    amountNanoUsd: mulDivRound(millijoules, nanoUsdPerKwh, MILLIJOULES_PER_KWH),
  };
}

/** The line of what the provider itself says it charged. */
export function reportedLine(nanoUsd: number): CostLine {
  return { item: "provider_reported", quantity: nanoUsd, unit: "nanousd", priceNanoUsd: null, amountNanoUsd: nanoUsd };
}

/** Micrograms of CO2-equivalent of `millijoules` on a grid of `milligramsPerKwh`. */
export function carbonMicrograms(millijoules: number, milligramsPerKwh: number): number {
  // mJ × mg/kWh ÷ 3.6e9 mJ/kWh = mg; a milligram is 1,000 micrograms.
  return mulDivRound(millijoules, milligramsPerKwh, MILLIJOULES_PER_KWH / 1000);
}
