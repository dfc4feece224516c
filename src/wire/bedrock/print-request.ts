import { Losses } from "../form/losses.ts";
import type { FormFormat, FormRequest, FormTool } from "../form/request.ts";
import type { PrintedRequest } from "../form/shape.ts";
import { compact, type JsonObject, objectOf } from "../json.ts";
import { BlockPrinter, cachePoint } from "./print-blocks.ts";
import { modelFields } from "./model-fields.ts";

/** Members of Converse's own that a client may add to its body. */
const TAKEN_EXTRAS: ReadonlySet<string> = new Set([
  "additionalModelRequestFields",
  "additionalModelResponseFieldPaths",
  "guardrailConfig",
  "performanceConfig",
  "serviceTier",
]);

/** What Bedrock takes as a key or a value of `requestMetadata`. */
const METADATA = /^[a-zA-Z0-9\s:_@$#=/+,\-.]{1,256}$/;
const MOST_METADATA = 16;

/**
 * A request in the shape of `Converse` (Amazon Bedrock Runtime API reference), and what of it that shape cannot express. The
 * model stands in the path.
 */
export function printBedrockRequest(request: FormRequest): PrintedRequest {
  const losses = new Losses();
  const { additionalModelRequestFields: given, ...extras } = Object.fromEntries(
    [...request.extras].filter(([path]) => TAKEN_EXTRAS.has(path)),
  );
  losses.extras(request, TAKEN_EXTRAS);
  if (request.user !== null) losses.hint("user", "this API takes no id of the end user");
  if (request.parallelToolCalls === false) {
    losses.grave("parallel_tool_calls", "this API cannot be kept from calling several tools at once");
  }
  const blocks = new BlockPrinter(request, losses);
  const fields = { ...modelFields(request, losses), ...objectOf(given) };
  const inferenceConfig = printInference(request, losses);
  const body = compact({
    messages: blocks.messages,
    system: blocks.system.length === 0 ? null : blocks.system,
    inferenceConfig: Object.keys(inferenceConfig).length === 0 ? null : inferenceConfig,
    toolConfig: printTools(request, blocks.hasTools, losses),
    outputConfig: printFormat(request.format, losses),
    additionalModelRequestFields: Object.keys(fields).length === 0 ? null : fields,
    additionalModelResponseFieldPaths: responseFields(request),
    requestMetadata: printMetadata(request.metadata, losses),
    ...extras,
  });
  return { body, losses: losses.all };
}

/** Claude says which stop sequence it found where it is asked for that field of its own. */
function responseFields({ model, sampling }: FormRequest): readonly string[] | null {
  return model.includes("anthropic.") && sampling.stop.length > 0 ? ["/stop_sequence"] : null;
}

function printInference(request: FormRequest, losses: Losses): JsonObject {
  const { sampling } = request;
  const missing = {
    frequency_penalty: sampling.frequencyPenalty,
    presence_penalty: sampling.presencePenalty,
    seed: sampling.seed,
    logit_bias: sampling.logitBias,
    logprobs: sampling.topLogprobs,
  };
  for (const [path, value] of Object.entries(missing)) {
    // No penalty is what there is without a word of it.
    if (value !== null && !(path.endsWith("_penalty") && value === 0))
      losses.grave(path, "this API has no such member");
  }
  return compact({
    maxTokens: request.maxOutputTokens,
    temperature: sampling.temperature,
    topP: sampling.topP,
    stopSequences: sampling.stop.length === 0 ? null : sampling.stop,
  });
}

function printTools({ tools, toolChoice }: FormRequest, hasToolBlocks: boolean, losses: Losses): JsonObject | null {
  if (tools.length === 0) {
    losses.idleChoice(toolChoice);
    return null;
  }
  if (toolChoice?.kind === "none") {
    // Without tools there are no calls; but a conversation that holds some is refused without them.
    if (!hasToolBlocks) return null;
    losses.grave("tool_choice", "this API cannot forbid calls in a conversation that holds some");
  }
  return compact({ tools: tools.flatMap(printTool), toolChoice: printToolChoice(toolChoice) });
}

function printTool({ name, description, parameters, strict, cache }: FormTool): readonly JsonObject[] {
  const json = parameters ?? { type: "object", properties: {} };
  const toolSpec = compact({ name, description, inputSchema: { json }, strict: strict === true ? true : null });
  return [{ toolSpec }, ...cachePoint(cache)];
}

function printToolChoice(choice: FormRequest["toolChoice"]): JsonObject | null {
  if (choice === null || choice.kind === "none") return null;
  if (choice.kind === "named") return { tool: { name: choice.name } };
  return choice.kind === "auto" ? { auto: {} } : { any: {} };
}

function printFormat(format: FormFormat | null, losses: Losses): JsonObject | null {
  if (format === null || format.kind === "text") return null;
  if (format.kind !== "schema") {
    losses.grave("response_format", "this API makes JSON by a schema alone");
    return null;
  }
  const { name, description, schema } = format;
  const jsonSchema = compact({ name, description, schema: JSON.stringify(schema) });
  return { textFormat: { type: "json_schema", structure: { jsonSchema } } };
}

function printMetadata(metadata: FormRequest["metadata"], losses: Losses): JsonObject | null {
  if (metadata === null) return null;
  const entries = Object.entries(metadata);
  const fits = entries.every(([key, value]) => METADATA.test(key) && METADATA.test(value));
  if (fits && entries.length <= MOST_METADATA) return metadata;
  losses.hint("metadata", "this API takes at most 16 entries, of letters, digits and a few signs");
  return null;
}
