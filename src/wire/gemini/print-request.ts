import { Losses } from "../form/losses.ts";
import type { FormFormat, FormReasoning, FormRequest, FormTool } from "../form/request.ts";
import type { PrintedRequest } from "../form/shape.ts";
import { compact, type JsonObject } from "../json.ts";
import { ContentPrinter, isThirdGeneration } from "./print-parts.ts";

/** Members of Gemini's own API that a client may add to its body. */
const TAKEN_EXTRAS: ReadonlySet<string> = new Set(["safetySettings", "cachedContent", "labels"]);

/** Tokens of thought for each word, as Google's own OpenAI-compatible API has them ("OpenAI compatibility", ai.google.dev). */
const BUDGETS: Readonly<Record<string, number>> = {
  none: 0,
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 24_576,
};

/**
 * A request in the shape of `generateContent` (Gemini API reference v1beta; Vertex AI's v1 has the same members), and what of it
 * that shape cannot express. The model stands in the path.
 */
export function printGeminiRequest(request: FormRequest): PrintedRequest {
  const losses = new Losses();
  const extras = Object.fromEntries([...request.extras].filter(([path]) => TAKEN_EXTRAS.has(path)));
  losses.extras(request, TAKEN_EXTRAS);
  if (request.user !== null) losses.hint("user", "this API takes no id of the end user");
  if (request.metadata !== null) losses.hint("metadata", "this API takes none");
  if (request.parallelToolCalls === false) {
    losses.grave("parallel_tool_calls", "this API cannot be kept from calling several tools at once");
  }
  const { system, contents } = new ContentPrinter(request, losses);
  const generationConfig = printGeneration(request, losses);
  const body = compact({
    contents,
    systemInstruction: system.length === 0 ? null : { parts: system },
    tools: request.tools.length === 0 ? null : [{ functionDeclarations: printTools(request.tools, losses) }],
    toolConfig: printToolConfig(request, losses),
    generationConfig: Object.keys(generationConfig).length === 0 ? null : generationConfig,
    ...extras,
  });
  return { body, losses: losses.all };
}

function printTools(tools: readonly FormTool[], losses: Losses): readonly JsonObject[] {
  return tools.map(({ name, description, parameters, cache }, index) => {
    losses.cache(`tools.${index}`, cache);
    return compact({ name, description, parametersJsonSchema: parameters });
  });
}

const MODES = { auto: "AUTO", none: "NONE", required: "ANY" } as const;

function printToolConfig({ tools, toolChoice }: FormRequest, losses: Losses): JsonObject | null {
  if (tools.length === 0) {
    losses.idleChoice(toolChoice);
    return null;
  }
  if (toolChoice?.kind === "named") {
    return { functionCallingConfig: { mode: "ANY", allowedFunctionNames: [toolChoice.name] } };
  }
  // VALIDATED is AUTO with arguments that must fit their schemas, which ANY grants by itself.
  const isStrict = tools.some(({ strict }) => strict === true) && (toolChoice?.kind ?? "auto") === "auto";
  if (isStrict) return { functionCallingConfig: { mode: "VALIDATED" } };
  return toolChoice === null ? null : { functionCallingConfig: { mode: MODES[toolChoice.kind] } };
}

function printGeneration(request: FormRequest, losses: Losses): JsonObject {
  const { sampling } = request;
  if (sampling.logitBias !== null) losses.grave("logit_bias", "this API has no such sampling");
  return compact({
    maxOutputTokens: request.maxOutputTokens,
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    frequencyPenalty: sampling.frequencyPenalty,
    presencePenalty: sampling.presencePenalty,
    seed: sampling.seed,
    stopSequences: sampling.stop.length === 0 ? null : sampling.stop,
    responseLogprobs: sampling.topLogprobs === null ? null : true,
    logprobs: sampling.topLogprobs === 0 ? null : sampling.topLogprobs,
    ...printFormat(request.format, losses),
    thinkingConfig: request.reasoning === null ? null : printThinking(request.reasoning, request.model, losses),
  });
}

function printFormat(format: FormFormat | null, losses: Losses): JsonObject {
  if (format === null || format.kind === "text") return {};
  if (format.kind !== "schema") return { responseMimeType: "application/json" };
  if (format.description !== null) losses.hint("response_format description", "this API takes the schema's own alone");
  return { responseMimeType: "application/json", responseJsonSchema: format.schema };
}

function printThinking({ enabled, effort, budgetTokens }: FormReasoning, model: string, losses: Losses): JsonObject {
  const isOff = enabled === false || effort === "none";
  const includeThoughts = isOff ? null : true;
  if (budgetTokens !== null && !isOff) return compact({ includeThoughts, thinkingBudget: budgetTokens });
  const word = isOff ? "none" : effort;
  if (word === null) return compact({ includeThoughts });
  if (!isThirdGeneration(model)) {
    const thinkingBudget = Object.hasOwn(BUDGETS, word) ? BUDGETS[word] : null;
    if (thinkingBudget === null) losses.hint("reasoning effort", "this API has no such word");
    return compact({ includeThoughts, thinkingBudget });
  }
  if (isOff) losses.hint("reasoning effort", "this model cannot be kept from thinking; it is asked for the least");
  const thinkingLevel = levelOf(word, model);
  if (thinkingLevel === null) losses.hint("reasoning effort", "this API has no such word");
  return compact({ includeThoughts, thinkingLevel });
}

/** The word of the third generation, whose larger models have no `minimal`; null for one that is not known. */
function levelOf(effort: string, model: string): string | null {
  if (effort === "none" || effort === "minimal") return model.includes("pro") ? "low" : "minimal";
  if (effort === "xhigh") return "high";
  return Object.hasOwn(BUDGETS, effort) ? effort : null;
}
