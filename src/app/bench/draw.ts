import type { Chance } from "../../base/chance.ts";

const STEPS = 2 ** 32;

/** Uniform, strictly between 0 and 1. */
function uniform(chance: Chance): number {
  return (chance.next() + 0.5) / STEPS;
}

/** Exponentially distributed with mean 1. */
export function exponential(chance: Chance): number {
  return -Math.log(uniform(chance));
}

/** Normally distributed with mean 0 and deviation 1 (Box and Muller, 1958). */
function normal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(uniform(chance))) * Math.cos(2 * Math.PI * uniform(chance));
}

/** Gamma distributed with this shape and scale 1, so with mean `shape` (Marsaglia and Tsang, 2000). */
export function gamma(chance: Chance, shape: number): number {
  if (shape < 1) return gamma(chance, shape + 1) * uniform(chance) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(chance);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(uniform(chance)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
