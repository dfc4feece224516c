import type { Chance } from "../base/chance.ts";
import { type Job, UNKNOWN_USAGE, type Usage } from "../base/job.ts";

/** Draws what is known of the tokens of an attempt that made `outputTokens`: reported, estimated, zero or unknown. */
export function drawUsage(chance: Chance, job: Job, outputTokens: number): Usage {
  const kind = chance.integer(1, 10);
  if (kind === 1) return UNKNOWN_USAGE;
  const inputTokens = Math.floor(job.promptTextLength / 4);
  const counted: Usage = {
    inputTokens,
    cachedInputTokens: null,
    cacheWriteTokens: null,
    outputTokens,
    reasoningTokens: null,
    reportedCostNanoUsd: null,
    method: kind <= 3 ? "counted_estimate" : "provider_reported",
  };
  if (kind === 4) return { ...counted, inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };
  if (kind === 5) return { ...counted, reportedCostNanoUsd: chance.integer(0, 1_000_000_000) };
  if (kind <= 7) {
    const cachedInputTokens = chance.integer(0, inputTokens);
    const cacheWriteTokens = Math.floor((inputTokens - cachedInputTokens) / 2);
    return { ...counted, cachedInputTokens, cacheWriteTokens, reasoningTokens: chance.integer(0, outputTokens) };
  }
  return counted;
}
