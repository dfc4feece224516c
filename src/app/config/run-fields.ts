import { z } from "zod";
import { count, decimal, milliseconds, optionalCount } from "./fields.ts";

/** Limits of one run; `absent` says what holds for one that is not written. */
function limitsOf(absent: string) {
  return {
    maxSteps: optionalCount(`Calls of one run. ${absent}`),
    maxTokens: optionalCount(`Input and output tokens of one run together. ${absent}`),
    maxUsd: decimal(9, `US dollars of one run, up to 9 decimals. ${absent}`).optional(),
    maxJoules: decimal(3, `Joules of one run, up to 3 decimals. ${absent}`).optional(),
    maxSeconds: optionalCount(`Seconds from a run's first call to the arrival of any other. ${absent}`, 1_000_000_000),
  };
}

/** What holds for every tenant's runs, and how many are kept. */
export const runs = z.strictObject({
  ...limitsOf("Absent: no limit."),
  maxSameCalls: count(0, 3, "How often the same call may be answered in one run. 0 is no limit."),
  maxOutputTokens: count(1, 4096, "Output tokens that are reserved for a call which gives no max_tokens."),
  unknown: z
    .enum(["refuse", "allow"])
    .default("refuse")
    .describe(
      "A run with a limit on dollars or joules, where a backend that may serve the call cannot tell them: refuse the call, or allow it.",
    ),
  maxKept: count(
    1,
    1000,
    "Runs kept in memory. The one used longest ago makes room, and comes back from its receipts.",
  ),
  idleMs: milliseconds(3_600_000, "How long a run without a call is kept in memory."),
});

const AS_FOR_ALL = "Absent: as under `runs`.";

/** What holds for one tenant's runs in place of the above, key by key. */
export const tenantRuns = z.strictObject({
  ...limitsOf(AS_FOR_ALL),
  maxSameCalls: z
    .int()
    .min(0)
    .optional()
    .describe(`How often the same call may be answered in one run. 0 is no limit. ${AS_FOR_ALL}`),
  maxOutputTokens: optionalCount(`Output tokens that are reserved for a call which gives no max_tokens. ${AS_FOR_ALL}`),
  unknown: z.enum(["refuse", "allow"]).optional().describe(`Where dollars or joules cannot be told. ${AS_FOR_ALL}`),
});
