import { assert } from "./assert.ts";

/**
 * `a × b ÷ divisor` for non-negative integers, rounded half up, exact for any size of the product.
 * Ledger figures are made by this one function, so that a figure is rounded once. Throws when the result is not a safe integer.
 */
export function mulDivRound(a: number, b: number, divisor: number): number {
  assert(Number.isSafeInteger(a) && a >= 0, `mulDivRound: bad factor ${a}`);
  assert(Number.isSafeInteger(b) && b >= 0, `mulDivRound: bad factor ${b}`);
  assert(Number.isSafeInteger(divisor) && divisor > 0, `mulDivRound: bad divisor ${divisor}`);
  const product = a * b;
  if (product < Number.MAX_SAFE_INTEGER - divisor) {
    return Math.floor((product + Math.floor(divisor / 2)) / divisor);
  }
  const exact = (BigInt(a) * BigInt(b) + BigInt(divisor) / 2n) / BigInt(divisor);
  const result = Number(exact);
  assert(Number.isSafeInteger(result), `mulDivRound: ${a} × ${b} ÷ ${divisor} does not fit`);
  return result;
}

/** Asserts a non-negative safe integer and returns it. */
export function natural(value: number, name: string): number {
  assert(Number.isSafeInteger(value) && value >= 0, `${name} must be a non-negative integer, got ${value}`);
  return value;
}

/**
 * `(a × b + add) ÷ divisor` in whole numbers, with the rest, exact for any size of the product. What is more than a safe integer
 * is the largest one. The dividend must not be negative.
 */
export function mulAddDiv(
  { a, b, add }: { readonly a: number; readonly b: number; readonly add: number },
  divisor: number,
): { readonly quotient: number; readonly rest: number } {
  assert(Number.isSafeInteger(divisor) && divisor > 0, `mulAddDiv: bad divisor ${divisor}`);
  const product = a * b;
  const dividend = product + add;
  if (product < Number.MAX_SAFE_INTEGER && dividend < Number.MAX_SAFE_INTEGER) {
    assert(dividend >= 0, `mulAddDiv: ${a} × ${b} + ${add} is negative`);
    const quotient = Math.floor(dividend / divisor);
    return { quotient, rest: dividend - quotient * divisor };
  }
  const exact = BigInt(a) * BigInt(b) + BigInt(add);
  const quotient = exact / BigInt(divisor);
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return { quotient: Number(quotient < most ? quotient : most), rest: Number(exact % BigInt(divisor)) };
}
