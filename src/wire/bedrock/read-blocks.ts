import type { AnswerEvent, Citation, FormUsage, StopReason } from "../form/answer.ts";
import { arrayOf, type JsonObject, objectOf, textOf } from "../json.ts";

const STOPS: Readonly<Record<string, StopReason>> = {
  end_turn: "end",
  tool_use: "tool-calls",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  stop_sequence: "stop-sequence",
  guardrail_intervened: "content-filter",
  content_filtered: "content-filter",
  refusal: "refusal",
  pause_turn: "pause",
};

/** The event of a stop reason: the end of an answer, or a failure where the model broke down. */
export function readStop(value: unknown, fields: unknown): AnswerEvent | null {
  const said = textOf(value);
  if (said === null) return null;
  const reason = Object.hasOwn(STOPS, said) ? STOPS[said] : undefined;
  if (reason === undefined) return { kind: "failed", message: `the model broke off: ${said}` };
  // Claude names the sequence where the request asked for this field.
  return { kind: "stop", reason, stopSequence: textOf(objectOf(fields)?.["stop_sequence"]) };
}

/**
 * The form of Bedrock's usage. Its `inputTokens` are those that were neither read from the cache nor written to it ("Prompt
 * caching for faster model inference", Amazon Bedrock User Guide).
 */
export function readBedrockUsage(value: unknown): FormUsage | null {
  const usage = objectOf(value);
  if (usage === null) return null;
  const [fresh, outputTokens] = [countOf(usage["inputTokens"]), countOf(usage["outputTokens"])];
  if (fresh === null && outputTokens === null) return null;
  const cachedInputTokens = countOf(usage["cacheReadInputTokens"]);
  const cacheWriteTokens = countOf(usage["cacheWriteInputTokens"]);
  const inputTokens = fresh === null ? null : fresh + (cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0);
  const unknown = { reasoningTokens: null, reportedCostNanoUsd: null };
  return { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, ...unknown };
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** A source that a block or a delta cites. */
export function readCitation(raw: JsonObject): Citation {
  const location = objectOf(raw["location"]);
  const words = arrayOf(raw["sourceContent"]).map((each) => textOf(objectOf(each)?.["text"]) ?? "");
  return {
    url: textOf(objectOf(location?.["web"])?.["url"]),
    title: textOf(raw["title"]),
    citedText: words.length === 0 ? null : words.join(""),
    start: null,
    end: null,
    raw,
  };
}
