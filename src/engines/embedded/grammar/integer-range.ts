/** Grammars of the whole numbers between two bounds, digit by digit. */
import { either, literal } from "./gbnf.ts";

/** Numbers of more digits than these are no longer exact in JSON's usual readers. */
const DIGITS_MAX = 15;
/** The largest number that is written where no bound is given. */
export const INTEGER_LIMIT = 10 ** DIGITS_MAX - 1;

/** An expression for the integers from `min` to `max`, both included, of which there is at least one. */
export function integerRange(min: number, max: number): string {
  const parts: string[] = [];
  if (min < 0) parts.push(`"-" ${either(naturals(max < 0 ? -max : 1, -min))}`);
  if (max >= 0) parts.push(...naturals(Math.max(0, min), max));
  return either(parts);
}

/** Alternatives for the numbers from `low` to `high`, one group for each count of digits. */
function naturals(low: number, high: number): readonly string[] {
  const parts: string[] = [];
  for (let digits = String(low).length; digits <= String(high).length; digits++) {
    const first = digits === 1 ? 0 : 10 ** (digits - 1);
    const from = String(Math.max(low, first));
    const to = String(Math.min(high, 10 ** digits - 1));
    parts.push(sameLength(from, to));
  }
  return parts;
}

/** The numbers between two of equally many digits, zeros in front included. */
function sameLength(low: string, high: string): string {
  if (low === high) return literal(low);
  const rest = low.length - 1;
  const [from, to] = [Number(low[0]), Number(high[0])];
  if (/^0*$/.test(low.slice(1)) && /^9*$/.test(high.slice(1))) return digitsFrom(from, to, rest);
  if (from === to) return `${literal(String(from))} ${sameLength(low.slice(1), high.slice(1))}`;
  const parts = [`${literal(String(from))} ${sameLength(low.slice(1), "9".repeat(rest))}`];
  if (from + 1 < to) parts.push(digitsFrom(from + 1, to - 1, rest));
  parts.push(`${literal(String(to))} ${sameLength("0".repeat(rest), high.slice(1))}`);
  return either(parts);
}

/** A digit of a range, then any others. */
function digitsFrom(from: number, to: number, rest: number): string {
  const first = from === to ? literal(String(from)) : `[${from}-${to}]`;
  return rest === 0 ? first : `${first} [0-9]{${rest}}`;
}
