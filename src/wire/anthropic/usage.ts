import type { FormUsage, StopReason } from "../form/answer.ts";
import { type JsonObject, numberOf, objectOf } from "../json.ts";

const STOPS: Readonly<Record<string, StopReason>> = {
  end_turn: "end",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  stop_sequence: "stop-sequence",
  tool_use: "tool-calls",
  pause_turn: "pause",
  refusal: "refusal",
};

/** Why an answer ended. The API may add reasons; one that is not known here is an end like any other. */
export function readStop(reason: string): StopReason {
  return Object.hasOwn(STOPS, reason) ? (STOPS[reason] ?? "end") : "end";
}

/** Anthropic's words for why an answer ended. */
export const STOP_WORDS: Readonly<Record<StopReason, string>> = {
  end: "end_turn",
  length: "max_tokens",
  "stop-sequence": "stop_sequence",
  "tool-calls": "tool_use",
  "content-filter": "refusal",
  refusal: "refusal",
  pause: "pause_turn",
};

/** Counts as Anthropic reports them; `input_tokens` leaves out what was read from and written to the cache. */
export interface Counts {
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  readonly output: number | null;
  readonly thinking: number | null;
}

/** No count is known. */
export const NO_COUNTS: Counts = { input: null, cacheRead: null, cacheWrite: null, output: null, thinking: null };

function countOf(value: unknown): number | null {
  const count = numberOf(value);
  return count !== null && Number.isSafeInteger(count) && count >= 0 ? count : null;
}

/** The counts of a `usage` object over those that came before: each is cumulative, and one that is left out stays. */
export function mergeCounts(usage: JsonObject | null, before: Counts): Counts {
  if (usage === null) return before;
  return {
    input: countOf(usage["input_tokens"]) ?? before.input,
    cacheRead: countOf(usage["cache_read_input_tokens"]) ?? before.cacheRead,
    cacheWrite: countOf(usage["cache_creation_input_tokens"]) ?? before.cacheWrite,
    output: countOf(usage["output_tokens"]) ?? before.output,
    thinking: countOf(objectOf(usage["output_tokens_details"])?.["thinking_tokens"]) ?? before.thinking,
  };
}

/** The form of counts: its input includes the cache. */
export function usageOf({ input, cacheRead, cacheWrite, output, thinking }: Counts): FormUsage {
  return {
    inputTokens: input === null ? null : input + (cacheRead ?? 0) + (cacheWrite ?? 0),
    cachedInputTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    outputTokens: output,
    reasoningTokens: thinking,
    reportedCostNanoUsd: null,
  };
}

/** The `usage` object of a form's counts; null is what is not known. */
export function printUsage(usage: FormUsage | null): JsonObject {
  const { inputTokens = null, cachedInputTokens = null, cacheWriteTokens = null } = usage ?? {};
  const cached = (cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0);
  const thinking = usage?.reasoningTokens ?? null;
  return {
    input_tokens: inputTokens === null ? null : Math.max(0, inputTokens - cached),
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedInputTokens,
    output_tokens: usage?.outputTokens ?? null,
    output_tokens_details: thinking === null ? null : { thinking_tokens: thinking },
    server_tool_use: null,
  };
}
