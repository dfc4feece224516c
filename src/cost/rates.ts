import type { Serving } from "./serving.ts";

/** What a chip's hour and a kilowatt-hour cost. Null is unknown, and what depends on it is unknown. The kinds are never added up. */
export interface Prices {
  /** Modelled cost of owning, electricity included. */
  readonly tcoUsdPerChipHour: number | null;
  readonly rentedUsdPerChipHour: number | null;
  readonly usdPerKwh: number | null;
  readonly gramsPerKwh: number | null;
}

/** Dollars and grams of a million output tokens, prompts' share included. */
export interface Rates {
  /** Electricity at the facility boundary: what is saved by not serving, where the chips are owned or their hours already bought. */
  readonly avoidableUsdPerMillion: number | null;
  /** Everything, by the price of owning and by that of renting. */
  readonly ownedUsdPerMillion: number | null;
  readonly rentedUsdPerMillion: number | null;
  readonly gramsPerMillion: number | null;
}

const HOUR_S = 3600;
const WATTS_PER_KW = 1000;
const TOKENS = 1e6;

/** Money and carbon of a deployment of `chips` chips that serves so. */
export function ratesOf(serving: Serving, chips: number, prices: Prices): Rates {
  const hours = TOKENS / serving.outputTokensPerS / HOUR_S;
  const perHour = (usd: number | null): number | null => (usd === null ? null : usd * chips * hours);
  const { facility } = serving.watts;
  const kwh = facility === null ? null : (facility / WATTS_PER_KW) * hours;
  return {
    avoidableUsdPerMillion: kwh === null || prices.usdPerKwh === null ? null : kwh * prices.usdPerKwh,
    ownedUsdPerMillion: perHour(prices.tcoUsdPerChipHour),
    rentedUsdPerMillion: perHour(prices.rentedUsdPerChipHour),
    gramsPerMillion: kwh === null || prices.gramsPerKwh === null ? null : kwh * prices.gramsPerKwh,
  };
}
