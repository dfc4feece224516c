const DIGITS = 3;

/** A number for people: three digits that matter, thousands set apart, no exponent unless it is tiny. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential(DIGITS - 1);
  const whole = size === 0 ? 1 : Math.floor(Math.log10(size)) + 1;
  const fixed = value.toFixed(Math.max(0, DIGITS - Math.max(whole, size < 1 ? whole : 1)));
  return Number.isInteger(value) && size < 1000 ? String(value) : grouped(fixed);
}

/** A number as it is, to six digits: for round ones such as a plot's edges. */
export function round(value: number): string {
  return grouped(String(Number(value.toPrecision(6))));
}

/** `figure`, or `unknown`. */
export function figureOr(value: number | null, unknown = "unknown"): string {
  return value === null ? unknown : figure(value);
}

/** A share as a percentage, never rounded up to 100 %. */
export function percent(share: number): string {
  const text = (share * 100).toFixed(1);
  return share < 1 && text === "100.0" ? "99.9 %" : `${text} %`;
}

/** A whole number with its thousands set apart. */
export function count(value: number): string {
  return grouped(String(value));
}

function grouped(text: string): string {
  const [whole = "", part] = text.split(".");
  const commas = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
  return part === undefined ? commas : `${commas}.${part}`;
}
