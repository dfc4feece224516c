import { Losses, pathOf } from "../form/losses.ts";
import type {
  FormFormat,
  FormReasoning,
  FormRequest,
  FormSampling,
  FormTool,
  FormToolChoice,
  FormTurn,
} from "../form/request.ts";
import type { PrintedRequest } from "../form/shape.ts";
import { compact, type JsonObject } from "../json.ts";
import { printCache, printPart } from "./print-blocks.ts";

/** Members that mean the same here under the same name. */
const TAKEN_EXTRAS: ReadonlySet<string> = new Set(["cache_control", "inference_geo", "speed", "container", "thinking"]);

/** Anthropic's words for those of OpenAI's tiers that it has. */
const TIERS: ReadonlyMap<unknown, string> = new Map([
  ["auto", "auto"],
  ["default", "standard_only"],
]);

/** OpenAI's words for effort that are none of Anthropic's, with the nearest of its own. */
const NEAREST_EFFORT: ReadonlyMap<string, string> = new Map([["minimal", "low"]]);
const EFFORTS: ReadonlySet<string> = new Set(["low", "medium", "high", "xhigh", "max"]);

/** What a request to Anthropic's API needs that others need not say. */
export interface AnthropicDefaults {
  /** `max_tokens` of a request that names none, besides its budget for thinking. */
  readonly maxTokens: number;
}

/** A request in the shape of Anthropic's Messages API, version 2023-06-01, and what of it that shape cannot express. */
export function printRequest(request: FormRequest, defaults: AnthropicDefaults): PrintedRequest {
  const losses = new Losses();
  const taken = new Set(TAKEN_EXTRAS);
  const tier = TIERS.get(request.extras.get("service_tier")) ?? null;
  if (tier !== null) taken.add("service_tier");
  losses.extras(request, taken);
  const { turns, tools, user, stream } = request;
  const leading = turns.findIndex(({ role }) => role !== "system" && role !== "developer");
  const head = leading === -1 ? turns.length : leading;
  const system = turns.slice(0, head).flatMap((turn, index) => printTurn(turn, index, losses));
  if (request.metadata !== null) losses.hint("metadata", "this API keeps no metadata but a user's id");
  const body = compact({
    model: request.model,
    max_tokens: request.maxOutputTokens ?? defaults.maxTokens + (request.reasoning?.budgetTokens ?? 0),
    system: system.length === 0 ? null : system,
    messages: joinTurns(turns, head, losses),
    tools: tools.length === 0 ? null : tools.map((tool) => printTool(tool)),
    tool_choice: printChoice(request),
    thinking: printThinking(request.reasoning),
    output_config: printOutput(request, losses),
    ...printSampling(request.sampling, losses),
    metadata: user === null ? null : { user_id: user },
    stream: stream ? true : null,
    ...Object.fromEntries([...request.extras].filter(([path]) => taken.has(path))),
    service_tier: tier,
  });
  return { body, losses: losses.all };
}

/** The turns after the leading instructions; neighbours of one role are one message, as the API wants them to alternate. */
function joinTurns(turns: readonly FormTurn[], head: number, losses: Losses): readonly JsonObject[] {
  const messages: { readonly role: string; readonly content: JsonObject[] }[] = [];
  for (const [index, turn] of turns.entries()) {
    if (index < head) continue;
    const role = turn.role === "developer" ? "system" : turn.role;
    const content = printTurn(turn, index, losses);
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...content);
    else if (content.length > 0) messages.push({ role, content: [...content] });
  }
  return messages.map(({ role, content }) => ({ role, content: resultsFirst(content) }));
}

/** Results of tools stand before what else the user says: the API refuses them elsewhere. */
function resultsFirst(content: readonly JsonObject[]): readonly JsonObject[] {
  const isResult = (block: JsonObject): boolean => block["type"] === "tool_result";
  return content.some(isResult)
    ? [...content.filter(isResult), ...content.filter((block) => !isResult(block))]
    : content;
}

function printTurn(turn: FormTurn, index: number, losses: Losses): readonly JsonObject[] {
  if (turn.name !== null) losses.hint(`turn ${index} (name)`, "this API does not name participants");
  return turn.parts.flatMap((part, at) => printPart(part, { path: pathOf(index, at, part.kind), losses }));
}

function printTool({ name, description, parameters, strict, cache }: FormTool): JsonObject {
  return compact({
    name,
    description,
    // Every tool takes an object here, and the schema must say so.
    input_schema: { type: "object", ...parameters },
    strict: strict === true ? true : null,
    cache_control: printCache(cache),
  });
}

const CHOICES: Readonly<Record<Exclude<FormToolChoice["kind"], "named">, string>> = {
  auto: "auto",
  none: "none",
  required: "any",
};

function printChoice({ toolChoice, parallelToolCalls, tools }: FormRequest): JsonObject | null {
  if (tools.length === 0) return null;
  if (toolChoice === null && parallelToolCalls === null) return null;
  const choice = toolChoice ?? { kind: "auto" };
  const printed = choice.kind === "named" ? { type: "tool", name: choice.name } : { type: CHOICES[choice.kind] };
  if (parallelToolCalls === null || choice.kind === "none") return printed;
  return { ...printed, disable_parallel_tool_use: !parallelToolCalls };
}

/** Thought without a budget is adaptive, which models before 4.6 refuse in their own words. */
function printThinking(reasoning: FormReasoning | null): JsonObject | null {
  if (reasoning === null) return null;
  const { enabled, effort, budgetTokens } = reasoning;
  if (enabled === false || effort === "none") return { type: "disabled" };
  if (budgetTokens !== null) return { type: "enabled", budget_tokens: budgetTokens };
  return enabled === true ? { type: "adaptive" } : null;
}

function printOutput({ reasoning, format }: FormRequest, losses: Losses): JsonObject | null {
  const effort = printEffort(reasoning, losses);
  const schema = printFormat(format, losses);
  return effort === null && schema === null ? null : compact({ effort, format: schema });
}

function printEffort(reasoning: FormReasoning | null, losses: Losses): string | null {
  if (reasoning === null) return null;
  if (reasoning.summary !== null) losses.hint("reasoning.summary", "this API decides how thoughts are told");
  const { effort } = reasoning;
  if (effort === null || effort === "none" || EFFORTS.has(effort)) return effort === "none" ? null : effort;
  const near = NEAREST_EFFORT.get(effort) ?? null;
  losses.hint(
    "reasoning_effort",
    `this API has no effort \`${effort}\`${near === null ? "" : `; it is sent as ${near}`}`,
  );
  return near;
}

function printFormat(format: FormFormat | null, losses: Losses): JsonObject | null {
  if (format === null || format.kind === "text") return null;
  if (format.kind === "schema") {
    if (format.description !== null) losses.hint("response_format description", "this API does not describe schemas");
    return { type: "json_schema", schema: format.schema };
  }
  losses.grave("response_format", "this API takes a schema, not JSON of any kind");
  return null;
}

function printSampling(sampling: FormSampling, losses: Losses): JsonObject {
  const { temperature, topP, topK, stop } = sampling;
  const isTooHot = temperature !== null && temperature > 1;
  if (isTooHot) losses.grave("temperature", "this API takes at most 1");
  if ((sampling.frequencyPenalty ?? 0) !== 0) losses.grave("frequency_penalty", "this API has no penalties");
  if ((sampling.presencePenalty ?? 0) !== 0) losses.grave("presence_penalty", "this API has no penalties");
  if (sampling.seed !== null) losses.grave("seed", "this API has no seeds");
  if (sampling.logitBias !== null && Object.keys(sampling.logitBias).length > 0) {
    losses.grave("logit_bias", "this API has no biases");
  }
  if (sampling.topLogprobs !== null) losses.grave("logprobs", "this API tells no probabilities");
  return {
    temperature: isTooHot ? null : temperature,
    top_p: topP,
    top_k: topK,
    stop_sequences: stop.length === 0 ? null : stop,
  };
}
