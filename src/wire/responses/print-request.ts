import { Losses, pathOf } from "../form/losses.ts";
import type {
  FormFormat,
  FormPart,
  FormRequest,
  FormTool,
  FormToolChoice,
  FormTurn,
  MediaSource,
} from "../form/request.ts";
import type { PrintedRequest } from "../form/shape.ts";
import { compact, type JsonObject } from "../json.ts";

/** Members of OpenAI's own APIs that mean the same in each of them. */
const TAKEN_EXTRAS: ReadonlySet<string> = new Set([
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "include",
  "max_tool_calls",
  "verbosity",
]);

/** A request in the shape of OpenAI's responses, and what of it that shape cannot express. Nothing is stored at the backend. */
export function printResponsesRequest(request: FormRequest): PrintedRequest {
  const losses = new Losses();
  const { sampling, reasoning } = request;
  const { verbosity, ...extras } = Object.fromEntries([...request.extras].filter(([path]) => TAKEN_EXTRAS.has(path)));
  if (sampling.topK !== null) losses.grave("top_k", "this API has no such sampling");
  for (const [path, value] of [
    ["frequency_penalty", sampling.frequencyPenalty],
    ["presence_penalty", sampling.presencePenalty],
    ["seed", sampling.seed],
    ["logit_bias", sampling.logitBias],
  ] as const) {
    if (value !== null) losses.grave(path, "this API has no such member");
  }
  if (sampling.stop.length > 0) losses.grave("stop", "this API takes no stop sequences");
  if (reasoning?.budgetTokens !== null && reasoning?.budgetTokens !== undefined) {
    losses.hint("thinking.budget_tokens", "this API says how hard to think in words");
  } else if (reasoning !== null && reasoning.effort === null && reasoning.enabled !== null) {
    losses.hint("thinking", "this API says how hard to think in words, and not every model of it takes them");
  }
  losses.extras(request, TAKEN_EXTRAS);
  const format = printFormat(request.format);
  const text = compact({ format, verbosity });
  const input = request.turns.flatMap((turn, index) => printTurn(turn, index, losses));
  const thinking = reasoning === null ? {} : compact({ effort: reasoning.effort, summary: reasoning.summary });
  const body = compact({
    model: request.model,
    input,
    store: false,
    stream: request.stream ? true : null,
    max_output_tokens: request.maxOutputTokens,
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_logprobs: sampling.topLogprobs,
    tools: request.tools.length === 0 ? null : request.tools.map((tool, index) => printTool(tool, index, losses)),
    tool_choice: printToolChoice(request.toolChoice),
    parallel_tool_calls: request.parallelToolCalls,
    text: Object.keys(text).length === 0 ? null : text,
    reasoning: Object.keys(thinking).length === 0 ? null : thinking,
    user: request.user,
    metadata: request.metadata,
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
  return { type: "function", name, ...compact({ description }), parameters, strict };
}

function printToolChoice(choice: FormToolChoice | null): unknown {
  if (choice === null) return null;
  return choice.kind === "named" ? { type: "function", name: choice.name } : choice.kind;
}

function printFormat(format: FormFormat | null): JsonObject | null {
  if (format === null) return null;
  if (format.kind !== "schema") return { type: format.kind === "json" ? "json_object" : "text" };
  const { name, description, schema, strict } = format;
  return { type: "json_schema", ...compact({ name, description, schema, strict }) };
}

/** The items of a turn, in its order; neighbouring words are one message. */
function printTurn(turn: FormTurn, index: number, losses: Losses): readonly JsonObject[] {
  const items: JsonObject[] = [];
  let words: JsonObject[] = [];
  const say = (): void => {
    if (words.length > 0) items.push({ type: "message", role: turn.role, content: words });
    words = [];
  };
  if (turn.name !== null) losses.hint(`turn ${index} (name)`, "this API does not name participants");
  for (const [at, part] of turn.parts.entries()) {
    const path = pathOf(index, at, part.kind);
    if ("cache" in part) losses.cache(path, part.cache);
    const item = printItem(part, path, losses);
    if (item !== null) {
      say();
      items.push(item);
      continue;
    }
    const content = printPart(part, turn.role === "assistant");
    if (content === null) losses.grave(path, "this API has no such content");
    else words.push(content);
  }
  say();
  return items;
}

/** A part that is an item of its own, or null. */
function printItem(part: FormPart, path: string, losses: Losses): JsonObject | null {
  if (part.kind === "tool-call") {
    return { type: "function_call", call_id: part.id, name: part.name, arguments: part.argumentsJson };
  }
  if (part.kind === "tool-result") {
    if (part.isError) losses.hint(path, "this API does not mark a tool's failure; its text says so");
    const [only] = part.content;
    const isText = part.content.length === 1 && only?.kind === "text";
    const output = isText ? only.text : part.content.flatMap((each) => printPart(each, false) ?? []);
    return { type: "function_call_output", call_id: part.callId, output };
  }
  if (part.kind !== "reasoning") return null;
  const content = part.text === "" ? {} : { content: [{ type: "reasoning_text", text: part.text }] };
  return {
    type: "reasoning",
    summary: [],
    ...content,
    ...compact({ encrypted_content: part.signature ?? part.encrypted }),
  };
}

function printPart(part: FormPart, isOwn: boolean): JsonObject | null {
  switch (part.kind) {
    case "text":
      return isOwn
        ? { type: "output_text", text: part.text, annotations: [] }
        : { type: "input_text", text: part.text };
    case "refusal":
      return { type: "refusal", refusal: part.text };
    case "image":
      return { type: "input_image", ...printSource(part.source, "image_url"), ...compact({ detail: part.detail }) };
    case "document":
      if (part.source.kind === "text") return { type: "input_text", text: part.source.text };
      return {
        type: "input_file",
        ...printSource(part.source, part.source.kind === "url" ? "file_url" : "file_data"),
        ...compact({ filename: part.name }),
      };
    case "audio": {
      if (part.source.kind !== "data") return null;
      const format = part.format ?? part.source.mediaType.replace(/^audio\//, "");
      return { type: "input_audio", input_audio: { data: part.source.base64, format } };
    }
    default:
      return null;
  }
}

function printSource(source: MediaSource, member: string): JsonObject {
  if (source.kind === "file") return { file_id: source.id };
  return { [member]: source.kind === "url" ? source.url : `data:${source.mediaType};base64,${source.base64}` };
}
