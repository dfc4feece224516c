/** Why a text is no decimal number that fits: its form, its sign, more decimals than the unit keeps, or its size. */
export type DecimalFault = "malformed" | "negative" | "too_fine" | "too_large";

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
const WIDEST = 64;

/**
 * `text` × 10^`places` as an exact integer, or why not. "0.15" at 9 places is 150000000. It works on the digits, so that no
 * price ever passes through binary floating point. Exponents are understood, since a YAML number may have one.
 */
export function decimalToInteger(text: string, places: number): number | DecimalFault {
  const match = DECIMAL.exec(text.trim());
  if (match === null) return "malformed";
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  if (whole === "" && part === "") return "malformed";
  const digits = (whole + part).replace(/^0+/, "");
  if (digits === "") return 0;
  if (sign === "-") return "negative";
  const shift = places - part.length + Number(exponent);
  if (shift > WIDEST) return "too_large";
  const kept = shift >= 0 ? digits + "0".repeat(shift) : withoutZeros(digits, -shift);
  if (kept === null) return "too_fine";
  if (kept.length > 16) return "too_large";
  const value = Number(kept);
  return Number.isSafeInteger(value) ? value : "too_large";
}

/** `digits` without its last `count` digits when these are zeros, else null: what would be lost is never rounded away. */
function withoutZeros(digits: string, count: number): string | null {
  const cut = Math.max(0, digits.length - count);
  if (/[1-9]/.test(digits.slice(cut))) return null;
  return digits.slice(0, cut);
}
