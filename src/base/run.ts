/** Limits of a run; null is no limit. */
export interface RunLimits {
  /** Calls that are admitted to the run. */
  readonly maxSteps: number | null;
  /** Input and output tokens together. */
  readonly maxTokens: number | null;
  readonly maxCostNanoUsd: number | null;
  readonly maxEnergyMilliJoules: number | null;
  /** Wall time from the first call's arrival to a later one's, in milliseconds. */
  readonly maxWallMs: number | null;
  /** How often the same call may be answered. */
  readonly maxSameCalls: number | null;
}

/** No limit at all. */
export const NO_RUN_LIMITS: RunLimits = {
  maxSteps: null,
  maxTokens: null,
  maxCostNanoUsd: null,
  maxEnergyMilliJoules: null,
  maxWallMs: null,
  maxSameCalls: null,
};

/** What a limit of a run is on, by its name in errors, metrics and answers. */
export type RunLimitKind = "steps" | "tokens" | "usd" | "joules" | "seconds" | "same_calls";

/** What a call says of the run that it belongs to. */
export interface RunCall {
  /** 1 to 128 printable ASCII characters without spaces, of the client's choice. A tenant's runs are its own. */
  readonly runId: string;
  /** Limits that the call asks for; they tighten what is in force and never loosen it. */
  readonly limits: RunLimits;
  /** Answers that the call asks for at once; each may have the call's output tokens. */
  readonly choices: number;
  /** A 64-bit hash, in hexadecimal, of the model and what it is told; null where the same call again is no loop. */
  readonly callHash: string | null;
}

/** The tighter of each pair of limits. */
export function tighten(one: RunLimits, other: RunLimits): RunLimits {
  const least = (a: number | null, b: number | null): number | null =>
    a === null ? b : b === null ? a : Math.min(a, b);
  return {
    maxSteps: least(one.maxSteps, other.maxSteps),
    maxTokens: least(one.maxTokens, other.maxTokens),
    maxCostNanoUsd: least(one.maxCostNanoUsd, other.maxCostNanoUsd),
    maxEnergyMilliJoules: least(one.maxEnergyMilliJoules, other.maxEnergyMilliJoules),
    maxWallMs: least(one.maxWallMs, other.maxWallMs),
    maxSameCalls: least(one.maxSameCalls, other.maxSameCalls),
  };
}
