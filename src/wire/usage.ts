import { UNKNOWN_USAGE, type Usage } from "../base/job.ts";

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

const NANO_PER_USD = 1e9;

/**
 * What an answer or chunk says of its usage, in the dialects of engines that speak OpenAI's, or null when it says nothing:
 *
 * - llama.cpp's `timings` give the cached tokens (`cache_n`) where `usage` does not, and all counts where there is no `usage`;
 * - DeepSeek's `prompt_cache_hit_tokens` are the cached tokens;
 * - Ollama writes 0 cached tokens whatever its cache did, so that its zero is unknown.
 */
export function usageOf(answer: unknown): Usage | null {
  const timings = member(answer, "timings");
  const usage = parseUsage(member(answer, "usage")) ?? usageOfTimings(timings);
  if (usage === null) return null;
  const isOllama = member(answer, "system_fingerprint") === "fp_ollama";
  if (isOllama && usage.cachedInputTokens === 0) return { ...usage, cachedInputTokens: null };
  return { ...usage, cachedInputTokens: usage.cachedInputTokens ?? count(member(timings, "cache_n")) };
}

/** llama.cpp's own counts; those of a chunk before the last are of what was made until then. */
function usageOfTimings(timings: unknown): Usage | null {
  const cached = count(member(timings, "cache_n"));
  const computed = count(member(timings, "prompt_n"));
  const outputTokens = count(member(timings, "predicted_n"));
  if (outputTokens === null) return null;
  return {
    ...UNKNOWN_USAGE,
    // Without the cached ones the computed ones are a part of the prompt that cannot be told from the whole.
    inputTokens: cached === null || computed === null ? null : cached + computed,
    cachedInputTokens: cached,
    outputTokens,
    method: "provider_reported",
  };
}

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
    cachedInputTokens:
      count(member(member(value, "prompt_tokens_details"), "cached_tokens")) ??
      count(member(value, "prompt_cache_hit_tokens")),
    // OpenRouter's field; OpenAI itself does not charge for it.
    cacheWriteTokens: count(member(member(value, "prompt_tokens_details"), "cache_write_tokens")),
    outputTokens,
    reasoningTokens: count(member(member(value, "completion_tokens_details"), "reasoning_tokens")),
    reportedCostNanoUsd: nano !== null && Number.isSafeInteger(nano) ? nano : null,
    method: "provider_reported",
  };
}
