import type { FormAnswer, FormUsage, StopReason } from "../form/answer.ts";
import type { PrintContext } from "../form/shape.ts";
import { compact, isObject, type JsonObject } from "../json.ts";
import { printItem } from "./item.ts";

/** What a response repeats of its request, with OpenAI's defaults. */
const REPEATED: Readonly<Record<string, unknown>> = {
  background: false,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  service_tier: "default",
  store: false,
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
  user: null,
  metadata: {},
};

/** The id of the response to a request. */
export function responseId(requestId: string): string {
  return `resp_${requestId.replaceAll("-", "")}`;
}

/** What of a response is known at its end. */
export interface Ending {
  readonly reason: StopReason;
  readonly output: readonly JsonObject[];
  readonly usage: FormUsage | null;
}

/** The response object; `ending` is null while it is being made. */
export function printResponse(context: PrintContext, ending: Ending | null): JsonObject {
  const asked = isObject(context.asked) ? context.asked : {};
  const repeated = Object.entries(REPEATED).map(([name, standard]) => [name, asked[name] ?? standard]);
  const incomplete = ending === null ? null : incompleteBy(ending.reason);
  return {
    id: responseId(context.requestId),
    object: "response",
    created_at: context.createdSeconds,
    status: ending === null ? "in_progress" : incomplete === null ? "completed" : "incomplete",
    error: null,
    incomplete_details: incomplete === null ? null : { reason: incomplete },
    model: context.model,
    ...Object.fromEntries(repeated),
    output: ending?.output ?? [],
    usage: ending === null || ending.usage === null ? null : printUsage(ending.usage),
  };
}

/** Why a response is not complete, in OpenAI's words, or null. */
export function incompleteBy(reason: StopReason): string | null {
  if (reason === "length") return "max_output_tokens";
  return reason === "content-filter" || reason === "refusal" ? "content_filter" : null;
}

function printUsage(usage: FormUsage): JsonObject {
  const { inputTokens, outputTokens } = usage;
  return compact({
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedInputTokens ?? 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: inputTokens === null || outputTokens === null ? null : inputTokens + outputTokens,
  });
}

/** A whole answer as a response. Stop sequences and log probabilities have no place in it. */
export function printWholeResponse(answer: FormAnswer, context: PrintContext): JsonObject {
  const output = answer.parts.map((part, index) => printItem(part, context, index));
  return printResponse(context, { reason: answer.stop.reason, output, usage: answer.usage });
}
