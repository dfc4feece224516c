import { Chance } from "../base/chance.ts";
import type { RunLimits } from "../base/run.ts";
import type { KernelConfig, RunRules } from "../kernel/config.ts";

/** Draws what holds for runs, from what nobody reaches to what nobody keeps. */
export function drawRunRules(seed: string): KernelConfig["runs"] {
  const chance = new Chance(seed, "fleet/runs");
  return {
    defaults: drawRules(chance),
    tenants: chance.odds(1, 2) ? { "tenant-1": drawRules(chance) } : {},
    maxKept: chance.pick([1, 10, 10_000, 10_000]),
    idleMs: chance.pick([200, 5_000, 1_000_000_000, 1_000_000_000]),
  };
}

function drawRules(chance: Chance): RunRules {
  return {
    limits: drawRunLimits(chance, 500),
    maxOutputTokens: chance.integer(20, 4_000),
    unknown: chance.odds(1, 2) ? "allow" : "refuse",
  };
}

/** Draws limits; each is there in so many of a thousand cases. */
export function drawRunLimits(chance: Chance, inThousand: number): RunLimits {
  const maybe = (low: number, high: number): number | null =>
    chance.odds(inThousand, 1000) ? chance.integer(low, high) : null;
  return {
    maxSteps: maybe(1, 60),
    maxTokens: maybe(5_000, 100_000),
    maxCostNanoUsd: maybe(1_000, 500_000_000),
    maxEnergyMilliJoules: maybe(1_000, 1_000_000_000),
    maxWallMs: maybe(1_000, 60_000),
    maxSameCalls: maybe(1, 5),
  };
}
