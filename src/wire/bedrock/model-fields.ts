import type { Losses } from "../form/losses.ts";
import type { FormReasoning, FormRequest } from "../form/request.ts";
import type { JsonObject } from "../json.ts";

/** Claude's least and the tokens of thought for each word, where a model thinks by a budget. */
const LEAST_BUDGET = 1024;
const BUDGETS: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
};

/** The words of models that take low, medium and high alone. */
const WORDS: Readonly<Record<string, string>> = {
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
};

/**
 * `additionalModelRequestFields`: what a request asks of the model itself, in the words of its maker, who is known by the
 * model's id ("Inference request parameters and response fields for foundation models", Amazon Bedrock User Guide).
 */
export function modelFields(request: FormRequest, losses: Losses): JsonObject {
  return { ...topK(request, losses), ...reasoning(request, losses) };
}

function topK({ model, sampling }: FormRequest, losses: Losses): JsonObject {
  const { topK: k } = sampling;
  if (k === null) return {};
  if (/anthropic\.|mistral\./.test(model)) return { top_k: k };
  if (model.includes("amazon.nova")) return { inferenceConfig: { topK: k } };
  if (model.includes("cohere.")) return { k };
  losses.grave("top_k", "this model's word for it is not known");
  return {};
}

function reasoning(request: FormRequest, losses: Losses): JsonObject {
  const { model, reasoning: asked } = request;
  if (asked === null) return {};
  if (model.includes("anthropic.")) return claude(request, asked, losses);
  const isOff = isOffBy(asked);
  const word = asked.effort === null ? undefined : WORDS[asked.effort];
  if (model.includes("openai.") && word !== undefined) return { reasoning_effort: word };
  if (model.includes("amazon.nova-2") && isOff) return { reasoningConfig: { type: "disabled" } };
  if (model.includes("amazon.nova-2") && word !== undefined) {
    return { reasoningConfig: { type: "enabled", maxReasoningEffort: word } };
  }
  if (!isOff) losses.hint("reasoning effort", "this model's word for it is not known");
  return {};
}

function isOffBy({ enabled, effort }: FormReasoning): boolean {
  return enabled === false || effort === "none";
}

function claude(request: FormRequest, asked: FormReasoning, losses: Losses): JsonObject {
  if (isOffBy(asked)) return { thinking: { type: "disabled" } };
  const { effort, budgetTokens } = asked;
  if (budgetTokens !== null) return { thinking: { type: "enabled", budget_tokens: budgetTokens } };
  const word = effort === null ? undefined : WORDS[effort];
  if (thinksAsNeeded(request.model)) {
    const thinking = { thinking: { type: "adaptive" } };
    return word === undefined ? thinking : { ...thinking, output_config: { effort: word } };
  }
  const wanted = BUDGETS[effort ?? "medium"] ?? LEAST_BUDGET;
  // The budget is part of what may be put out, and must be less.
  const most = (request.maxOutputTokens ?? Number.MAX_SAFE_INTEGER) - 1;
  if (most < LEAST_BUDGET) {
    losses.hint("reasoning effort", "this model thinks with 1024 tokens at least, and fewer may be put out");
    return {};
  }
  return { thinking: { type: "enabled", budget_tokens: Math.min(wanted, most) } };
}

/** Whether a Claude decides itself how much to think, by a word: those from 4.6 on. */
function thinksAsNeeded(model: string): boolean {
  return /claude-(?:opus|sonnet|haiku)-(?:4-[6-9](?!\d)|[5-9](?!\d)|\d\d)/.test(model);
}
