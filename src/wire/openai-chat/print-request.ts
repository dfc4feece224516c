import { Losses, pathOf } from "../form/losses.ts";
import {
  type FormFormat,
  type FormPart,
  type FormRequest,
  type FormTool,
  type FormToolChoice,
  type FormTurn,
  type MediaSource,
  textOfParts,
} from "../form/request.ts";
import type { PrintedRequest } from "../form/shape.ts";
import { compact, type JsonObject } from "../json.ts";

/** Members of OpenAI's own APIs that mean the same in each of them. */
const TAKEN_EXTRAS: ReadonlySet<string> = new Set([
  "n",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "verbosity",
  "modalities",
  "audio",
  "prediction",
  "web_search_options",
  "functions",
  "function_call",
]);

type PartOf<Kind extends FormPart["kind"]> = Extract<FormPart, { readonly kind: Kind }>;

/** A request in the shape of chat completions, and what of it that shape cannot express. */
export function printChatRequest(request: FormRequest): PrintedRequest {
  const losses = new Losses();
  const { sampling, reasoning } = request;
  const extras = Object.fromEntries([...request.extras].filter(([path]) => TAKEN_EXTRAS.has(path)));
  if (sampling.topK !== null) losses.grave("top_k", "this API has no such sampling");
  if (reasoning !== null && reasoning.effort === null && reasoning.enabled !== null) {
    losses.hint("thinking", "this API says how hard to think in words, and not every model of it takes them");
  }
  if (reasoning !== null && reasoning.summary !== null) {
    losses.hint("reasoning.summary", "this API does not say how thoughts are told");
  }
  if (request.metadata !== null) losses.hint("metadata", "this API takes it for stored answers alone");
  losses.extras(request, TAKEN_EXTRAS);
  const messages = request.turns.flatMap((turn, index) => printTurn(turn, index, losses));
  const body = compact({
    model: request.model,
    messages,
    stream: request.stream ? true : null,
    stream_options: request.stream ? { include_usage: true } : null,
    max_tokens: request.maxOutputTokens,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    frequency_penalty: sampling.frequencyPenalty,
    presence_penalty: sampling.presencePenalty,
    seed: sampling.seed,
    stop: sampling.stop.length === 0 ? null : sampling.stop,
    logit_bias: sampling.logitBias,
    logprobs: sampling.topLogprobs === null ? null : true,
    top_logprobs: sampling.topLogprobs === 0 ? null : sampling.topLogprobs,
    tools: request.tools.length === 0 ? null : request.tools.map((tool, index) => printTool(tool, index, losses)),
    tool_choice: printToolChoice(request.toolChoice),
    parallel_tool_calls: request.parallelToolCalls,
    response_format: printFormat(request.format),
    reasoning_effort: reasoning?.effort ?? null,
    user: request.user,
    ...extras,
  });
  return { body, losses: losses.all };
}

function printTool(
  { name, description, parameters, strict, cache }: FormTool,
  index: number,
  losses: Losses,
): JsonObject {
  losses.cache(`tools.${index}`, cache);
  return { type: "function", function: compact({ name, description, parameters, strict }) };
}

function printToolChoice(choice: FormToolChoice | null): unknown {
  if (choice === null) return null;
  return choice.kind === "named" ? { type: "function", function: { name: choice.name } } : choice.kind;
}

function printFormat(format: FormFormat | null): unknown {
  if (format === null) return null;
  if (format.kind !== "schema") return { type: format.kind === "json" ? "json_object" : "text" };
  const { name, description, schema, strict } = format;
  return { type: "json_schema", json_schema: compact({ name, description, schema, strict }) };
}

/** The messages of one turn: results of tools are messages of their own, before what else the turn says. */
function printTurn(turn: FormTurn, index: number, losses: Losses): readonly JsonObject[] {
  if (turn.role === "assistant") return [printAssistant(turn, index, losses)];
  const results = turn.parts.filter((part) => part.kind === "tool-result");
  const messages: JsonObject[] = results.map((result) => printResult(result, index, losses));
  // A tool's message holds text alone, so its images are shown by the user, who speaks next in any case.
  const shown = results.flatMap(({ content }) => content.filter(({ kind }) => kind !== "text"));
  const rest = [...shown, ...turn.parts.filter((part) => part.kind !== "tool-result")];
  if (rest.length > 0 || results.length === 0) {
    messages.push(compact({ role: turn.role, name: turn.name, content: printContent(rest, index, losses) }));
  }
  return messages;
}

function printResult(result: PartOf<"tool-result">, turn: number, losses: Losses): JsonObject {
  const path = pathOf(turn, 0, "tool-result");
  losses.cache(path, result.cache);
  if (result.isError) losses.hint(path, "this API does not mark a tool's failure; its text says so");
  return { role: "tool", tool_call_id: result.callId, content: textOfParts(result.content) };
}

function printAssistant(turn: FormTurn, index: number, losses: Losses): JsonObject {
  const calls = turn.parts.filter((part) => part.kind === "tool-call");
  const refusals = turn.parts.filter((part) => part.kind === "refusal");
  const spoken = turn.parts.filter(({ kind }) => kind !== "tool-call" && kind !== "refusal" && kind !== "reasoning");
  if (turn.parts.some(({ kind }) => kind === "reasoning")) {
    losses.hint(`turn ${index} (reasoning)`, "this API has no place for earlier thoughts");
  }
  for (const call of calls) losses.cache(pathOf(index, turn.parts.indexOf(call), "tool-call"), call.cache);
  return {
    role: "assistant",
    ...compact({ name: turn.name, refusal: refusals.length === 0 ? null : refusals.map(({ text }) => text).join("") }),
    content: spoken.length === 0 ? null : printContent(spoken, index, losses),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(printCall) }),
  };
}

function printCall({ id, name, argumentsJson }: PartOf<"tool-call">): JsonObject {
  return { id, type: "function", function: { name, arguments: argumentsJson } };
}

/** Parts as content: one text where there is nothing else, since that is what every engine's template takes. */
function printContent(parts: readonly FormPart[], turn: number, losses: Losses): unknown {
  const [only] = parts;
  if (parts.length === 0) return "";
  for (const [index, part] of parts.entries()) {
    if ("cache" in part) losses.cache(pathOf(turn, index, part.kind), part.cache);
  }
  if (parts.length === 1 && only?.kind === "text") return only.text;
  return parts.flatMap((part, index) => {
    const printed = printPart(part);
    if (printed === null) losses.grave(pathOf(turn, index, part.kind), "this API has no such content");
    return printed === null ? [] : [printed];
  });
}

function printPart(part: FormPart): JsonObject | null {
  switch (part.kind) {
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "refusal", refusal: part.text };
    case "image": {
      const url = urlOf(part.source);
      return url === null ? null : { type: "image_url", image_url: compact({ url, detail: part.detail }) };
    }
    case "audio": {
      if (part.source.kind !== "data") return null;
      const format = part.format ?? part.source.mediaType.replace(/^audio\//, "");
      return { type: "input_audio", input_audio: { data: part.source.base64, format } };
    }
    case "document": {
      if (part.source.kind === "text") return { type: "text", text: part.source.text };
      if (part.source.kind === "file") return { type: "file", file: { file_id: part.source.id } };
      if (part.source.kind === "url") return null;
      return { type: "file", file: compact({ filename: part.name, file_data: urlOf(part.source) }) };
    }
    default:
      return null;
  }
}

function urlOf(source: MediaSource): string | null {
  if (source.kind === "url") return source.url;
  return source.kind === "data" ? `data:${source.mediaType};base64,${source.base64}` : null;
}
