import { z } from "zod";
import { count, decimal, milliseconds, optionalCount } from "./fields.ts";

const limits = {
  maxSteps: optionalCount("Calls of one run. Absent: no limit."),
  maxTokens: optionalCount("Input and output tokens of one run together. Absent: no limit."),
  maxUsd: decimal(9, "US dollars of one run, up to 9 decimals. Absent: no limit.").optional(),
  maxJoules: decimal(3, "Joules of one run, up to 3 decimals. Absent: no limit.").optional(),
  maxSeconds: optionalCount(
    "Seconds from a run's first call to its last one's arrival. Absent: no limit.",
    1_000_000_000,
  ),
};

/** What holds for every tenant's runs, and how many are kept. */
export const runs = z.strictObject({
  ...limits,
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
    10_000,
    "Runs kept in memory. The one used longest ago makes room, and comes back from its receipts.",
  ),
  idleMs: milliseconds(3_600_000, "How long a run without a call is kept in memory."),
});

/** What holds for one tenant's runs in place of the above, key by key. */
export const tenantRuns = z.strictObject({
  ...limits,
  maxSameCalls: z
    .int()
    .min(0)
    .optional()
    .describe("As under `runs`. Absent: what stands there, for this key and the others."),
  maxOutputTokens: optionalCount("As under `runs`."),
  unknown: z.enum(["refuse", "allow"]).optional().describe("As under `runs`."),
});
