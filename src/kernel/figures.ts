import type { FigureMethod, Usage } from "../base/job.ts";
import type { Figure } from "../base/receipt.ts";

/** A fact, or unknown when `value` is null. */
export function exact(value: number | null, method: FigureMethod): Figure {
  if (value === null)
    return { value: null, method: "unknown", boundary: "request", low: null, high: null, final: true };
  return { value, method, boundary: "request", low: value, high: value, final: true };
}

/**
 * Energy or carbon by declared watts. They are a ceiling of the real draw, and a node never draws less than nothing: the
 * bounds say so and no more. Where part of it is unknown (`isWhole` false), `value` is the known part and has no upper bound.
 */
export function declared(
  value: number | null,
  of: { readonly isFacility: boolean; readonly isWhole: boolean },
): Figure {
  const boundary = of.isFacility ? "facility" : "node";
  if (value === null) return { value: null, method: "unknown", boundary, low: null, high: null, final: true };
  return { value, method: "default", boundary, low: 0, high: of.isWhole ? value : null, final: true };
}

// A foreign tokenizer's count differs from the model's own by up to about this share either way.
const COUNT_ERROR = 0.25;

/** Bounds of an estimated count, or of what is proportional to it. */
export function countBounds(value: number): { readonly low: number; readonly high: number } {
  return { low: Math.floor(value * (1 - COUNT_ERROR)), high: Math.ceil(value * (1 + COUNT_ERROR)) };
}

/** A token count. */
export function tokenFigure(value: number | null, method: Usage["method"]): Figure {
  if (method !== "counted_estimate" || value === null) return exact(value, method);
  return { ...exact(value, method), ...countBounds(value) };
}
