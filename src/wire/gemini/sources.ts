import type { Citation, FormUsage, TokenLogprob } from "../form/answer.ts";
import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";

/** The form of `usageMetadata`, or null when it counts nothing. Thoughts are output that is charged, and counted apart from it. */
export function readGeminiUsage(value: unknown): FormUsage | null {
  const usage = objectOf(value);
  if (usage === null) return null;
  const inputTokens = sum(usage["promptTokenCount"], usage["toolUsePromptTokenCount"]);
  const outputTokens = sum(usage["candidatesTokenCount"], usage["thoughtsTokenCount"]);
  if (inputTokens === null && outputTokens === null) return null;
  return {
    inputTokens,
    cachedInputTokens: countOf(usage["cachedContentTokenCount"]),
    cacheWriteTokens: null,
    outputTokens,
    reasoningTokens: countOf(usage["thoughtsTokenCount"]),
    reportedCostNanoUsd: null,
  };
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function sum(one: unknown, other: unknown): number | null {
  const counts = [countOf(one), countOf(other)].filter((count) => count !== null);
  return counts.length === 0 ? null : counts.reduce((total, count) => total + count, 0);
}

/** The sources that a candidate names for its text: what it was grounded in, and what it recites. `text` is the text so far. */
export function readCitations(candidate: JsonObject, text: string): readonly Citation[] {
  return [...grounded(objectOf(candidate["groundingMetadata"]), text), ...recited(candidate["citationMetadata"], text)];
}

function grounded(metadata: JsonObject | null, text: string): readonly Citation[] {
  if (metadata === null) return [];
  const chunks = arrayOf(metadata["groundingChunks"]);
  const supports = arrayOf(metadata["groundingSupports"]).filter(isObject);
  return supports.flatMap((support) => {
    const segment = objectOf(support["segment"]) ?? {};
    const citedText = textOf(segment["text"]);
    return arrayOf(support["groundingChunkIndices"]).flatMap((index): Citation[] => {
      const chunk = objectOf(chunks[numberOf(index) ?? -1]);
      const source = objectOf(chunk?.["web"]) ?? objectOf(chunk?.["retrievedContext"]);
      if (source === null) return [];
      const place = placeOf(segment, { text, citedText });
      return [
        { url: textOf(source["uri"]), title: textOf(source["title"]), citedText, ...place, raw: { support, chunk } },
      ];
    });
  });
}

/** AI Studio says `citationSources` where Vertex AI says `citations`. */
function recited(value: unknown, text: string): readonly Citation[] {
  const metadata = objectOf(value);
  const sources = [...arrayOf(metadata?.["citationSources"]), ...arrayOf(metadata?.["citations"])].filter(isObject);
  return sources.map((source) => ({
    url: textOf(source["uri"]),
    title: textOf(source["title"]),
    citedText: null,
    ...placeOf(source, { text, citedText: null }),
    raw: source,
  }));
}

/** Gemini counts bytes of UTF-8 and the form UTF-16 code units. A place that does not hold the words cited is none. */
function placeOf(
  at: JsonObject,
  of: { readonly text: string; readonly citedText: string | null },
): { readonly start: number | null; readonly end: number | null } {
  const nowhere = { start: null, end: null };
  const endByte = countOf(at["endIndex"]);
  if (endByte === null) return nowhere;
  const bytes = Buffer.from(of.text);
  const startByte = countOf(at["startIndex"]) ?? 0;
  if (startByte > endByte || endByte > bytes.length) return nowhere;
  const before = bytes.toString("utf8", 0, startByte);
  const cited = bytes.toString("utf8", startByte, endByte);
  if (of.citedText !== null && cited !== of.citedText) return nowhere;
  return { start: before.length, end: before.length + cited.length };
}

/** The log probabilities of `logprobsResult`: the tokens chosen, each with its likeliest alternatives. */
export function readLogprobs(value: unknown): readonly TokenLogprob[] {
  const result = objectOf(value);
  const tops = arrayOf(result?.["topCandidates"]);
  return arrayOf(result?.["chosenCandidates"]).flatMap((each, index): TokenLogprob[] => {
    const chosen = readToken(each);
    if (chosen === null) return [];
    const top = arrayOf(objectOf(tops[index])?.["candidates"]).flatMap((other) => readToken(other) ?? []);
    return [{ ...chosen, top }];
  });
}

function readToken(value: unknown): Omit<TokenLogprob, "top"> | null {
  const of = objectOf(value);
  const [token, logprob] = [textOf(of?.["token"]), numberOf(of?.["logProbability"])];
  return token === null || logprob === null ? null : { token, bytes: null, logprob };
}
