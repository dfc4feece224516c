import { z } from "zod";
import { decimalToInteger } from "../../base/decimal.ts";
import type { DecimalFault } from "../../base/decimal.ts";
import { say } from "./say.ts";

/** The longest time a timer takes: 2^31 − 1 milliseconds, about 24 days. */
const LONGEST_MS = 2_147_483_647;

/** A time in whole milliseconds, at least 1. */
export function milliseconds(fallback: number, meaning: string) {
  return z.int().min(1).max(LONGEST_MS).default(fallback).describe(`${meaning} In milliseconds.`);
}

/** A latency objective in whole milliseconds; absent is no objective. */
export function objective(meaning: string) {
  return z.int().min(1).max(LONGEST_MS).optional().describe(`${meaning} In milliseconds. Absent: no objective.`);
}

/** A whole number with a default. */
export function count(low: number, fallback: number, meaning: string) {
  return z.int().min(low).default(fallback).describe(meaning);
}

/** A whole number, at least 1, that may be absent. */
export function optionalCount(meaning: string, high = Number.MAX_SAFE_INTEGER) {
  return z.int().min(1).max(high).optional().describe(meaning);
}

const FAULTS: Readonly<Record<DecimalFault, (places: number) => string>> = {
  malformed: () =>
    say("not a decimal number", "write digits and a decimal point only, such as 0.15, without a currency sign"),
  negative: () => say("must not be negative", "write 0 or more, or remove it if it is unknown"),
  too_fine: (places) => say(`has more than ${places} decimals`, `round it to ${places} decimals`),
  too_large: () => say("too large", "check the unit"),
};

/** A decimal number, as a number or in quotes, kept as an exact integer of its 10^-`places`. */
export function decimal(places: number, meaning: string, low = 0) {
  return z
    .union([z.number(), z.string()], {
      error: (issue) => (issue.input === undefined ? undefined : FAULTS.malformed(places)),
    })
    .transform((written, context) => {
      const value = decimalToInteger(String(written), places);
      if (typeof value === "number" && value >= low * 10 ** places) return value;
      const fault =
        typeof value === "number" ? say(`must be at least ${low}`, "check the unit") : FAULTS[value](places);
      context.issues.push({ code: "custom", message: fault, input: null });
      return z.NEVER;
    })
    .meta({ description: meaning, minimum: low, pattern: `^\\d+(\\.\\d{1,${places}})?$` });
}
