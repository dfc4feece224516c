import type { FigureTotal, ReceiptGroup } from "./receipt-totals.ts";

/** Tokens, joules, dollars and grams against each other. Null is unknown, or a division by zero. Tokens are output tokens. */
export interface Ratios {
  readonly tokensPerJoule: number | null;
  readonly usefulTokensPerJoule: number | null;
  readonly joulesPerToken: number | null;
  readonly tokensPerUsd: number | null;
  readonly usefulTokensPerUsd: number | null;
  readonly usdPerMillionTokens: number | null;
  readonly gramsPerMillionTokens: number | null;
  readonly joules: number | null;
  readonly usd: number | null;
  readonly grams: number | null;
}

const PER_UNIT = { energy: 1e3, cost: 1e9, carbon: 1e6 } as const;
const MILLION = 1e6;

/** The ratios of one group of receipts, each over the receipts that know both of its sides. */
export function ratiosOf(group: ReceiptGroup): Ratios {
  const energy = sidesOf(group.energyMilliJoules, PER_UNIT.energy);
  const cost = sidesOf(group.costNanoUsd, PER_UNIT.cost);
  const carbon = sidesOf(group.carbonMicrograms, PER_UNIT.carbon);
  return {
    tokensPerJoule: divide(energy.tokens, energy.amount),
    usefulTokensPerJoule: divide(energy.useful, energy.amount),
    joulesPerToken: divide(energy.amount, energy.tokens),
    tokensPerUsd: divide(cost.tokens, cost.amount),
    usefulTokensPerUsd: divide(cost.useful, cost.amount),
    usdPerMillionTokens: timesMillion(divide(cost.amount, cost.tokens)),
    gramsPerMillionTokens: timesMillion(divide(carbon.amount, carbon.tokens)),
    joules: energy.amount,
    usd: cost.amount,
    grams: carbon.amount,
  };
}

interface Sides {
  readonly amount: number | null;
  readonly tokens: number | null;
  readonly useful: number | null;
}

function sidesOf(total: FigureTotal, perUnit: number): Sides {
  if (total.value === null) return { amount: null, tokens: null, useful: null };
  return { amount: total.value / perUnit, tokens: total.outputTokens, useful: total.usefulTokens };
}

function divide(above: number | null, below: number | null): number | null {
  return above === null || below === null || below === 0 ? null : above / below;
}

function timesMillion(value: number | null): number | null {
  return value === null ? null : value * MILLION;
}
