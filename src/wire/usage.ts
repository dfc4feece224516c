import type { Usage } from "../base/job.ts";

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

const NANO_PER_USD = 1e9;

/**
 * OpenAI's `usage` object as `Usage`, or null when it is not one. An explicit zero stays zero; what is absent is null.
 * `cost` (OpenRouter's field, in US dollars) becomes the reported cost.
 */
export function parseUsage(value: unknown): Usage | null {
  const inputTokens = count(member(value, "prompt_tokens"));
  const outputTokens = count(member(value, "completion_tokens"));
  if (inputTokens === null && outputTokens === null) return null;
  const cost = member(value, "cost");
  const nano = typeof cost === "number" && cost >= 0 ? Math.round(cost * NANO_PER_USD) : null;
  return {
    inputTokens,
    cachedInputTokens: count(member(member(value, "prompt_tokens_details"), "cached_tokens")),
    // OpenRouter's field; OpenAI itself does not charge for it.
    cacheWriteTokens: count(member(member(value, "prompt_tokens_details"), "cache_write_tokens")),
    outputTokens,
    reasoningTokens: count(member(member(value, "completion_tokens_details"), "reasoning_tokens")),
    reportedCostNanoUsd: nano !== null && Number.isSafeInteger(nano) ? nano : null,
    method: "provider_reported",
  };
}
