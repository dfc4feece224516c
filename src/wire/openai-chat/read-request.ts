import {
  type CacheMark,
  type FormFormat,
  type FormPart,
  type FormRequest,
  type FormTool,
  type FormToolChoice,
  type FormTurn,
  type MediaSource,
} from "../form/request.ts";
import { type Unreadable, unreadable } from "../form/shape.ts";
import { arrayOf, booleanOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";

/** Members of a request that the form has a place for. */
const READ: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_k",
  "frequency_penalty",
  "presence_penalty",
  "seed",
  "stop",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
  "user",
  "metadata",
]);

/** What is read besides the form: members without a place in it, by path. */
type Extras = Map<string, unknown>;

/** The form of a chat completion request (OpenAI API reference, "Create chat completion"). */
export function readChatRequest(value: unknown): FormRequest | Unreadable {
  if (!isObject(value)) return unreadable("", "is not an object");
  const extras: Extras = new Map(Object.entries(value).filter(([name]) => !READ.has(name)));
  // One answer is what every shape gives.
  if (extras.get("n") === 1) extras.delete("n");
  const turns: FormTurn[] = [];
  for (const [index, message] of arrayOf(value["messages"]).entries()) {
    const turn = readMessage(message, `messages.${index}`, extras);
    if ("kind" in turn) return turn;
    turns.push(turn);
  }
  const effort = textOf(value["reasoning_effort"]);
  const { stop } = value;
  return {
    model: textOf(value["model"]) ?? "",
    turns,
    tools: readTools(value["tools"], extras),
    toolChoice: readToolChoice(value["tool_choice"], extras),
    parallelToolCalls: booleanOf(value["parallel_tool_calls"]),
    format: readFormat(value["response_format"], extras),
    reasoning: effort === null ? null : { enabled: effort !== "none", effort, budgetTokens: null, summary: null },
    sampling: {
      temperature: numberOf(value["temperature"]),
      topP: numberOf(value["top_p"]),
      topK: numberOf(value["top_k"]),
      frequencyPenalty: numberOf(value["frequency_penalty"]),
      presencePenalty: numberOf(value["presence_penalty"]),
      seed: numberOf(value["seed"]),
      stop: typeof stop === "string" ? [stop] : arrayOf(stop).filter((text) => typeof text === "string"),
      logitBias: objectOf(value["logit_bias"]) as Readonly<Record<string, number>> | null,
      topLogprobs: value["logprobs"] === true ? (numberOf(value["top_logprobs"]) ?? 0) : null,
    },
    maxOutputTokens: numberOf(value["max_completion_tokens"]) ?? numberOf(value["max_tokens"]),
    stream: value["stream"] === true,
    user: textOf(value["user"]),
    metadata: objectOf(value["metadata"]) as Readonly<Record<string, string>> | null,
    extras,
  };
}

const ROLES: Readonly<Record<string, FormTurn["role"]>> = {
  system: "system",
  developer: "developer",
  user: "user",
  assistant: "assistant",
  tool: "user",
};

function readMessage(message: unknown, path: string, extras: Extras): FormTurn | Unreadable {
  if (!isObject(message)) return unreadable(path, "is not an object");
  const role = textOf(message["role"]) ?? "";
  const formRole = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
  if (formRole === undefined)
    return unreadable(`${path}.role`, "is none of system, developer, user, assistant and tool");
  const content = readContent(message["content"], `${path}.content`, extras);
  const name = textOf(message["name"]);
  if (role === "tool") {
    const callId = textOf(message["tool_call_id"]);
    if (callId === null) return unreadable(`${path}.tool_call_id`, "is missing");
    return { role: formRole, name, parts: [{ kind: "tool-result", callId, content, isError: false }] };
  }
  if (role !== "assistant") return { role: formRole, name, parts: content };
  const thought = textOf(message["reasoning_content"]) ?? textOf(message["reasoning"]);
  const refusal = textOf(message["refusal"]);
  if (isObject(message["audio"])) extras.set(`${path}.audio`, message["audio"]);
  if (isObject(message["function_call"])) extras.set(`${path}.function_call`, message["function_call"]);
  const parts: FormPart[] = [];
  if (thought !== null && thought !== "")
    parts.push({ kind: "reasoning", text: thought, signature: null, encrypted: null });
  parts.push(...content);
  if (refusal !== null) parts.push({ kind: "refusal", text: refusal });
  parts.push(...readCalls(message["tool_calls"], `${path}.tool_calls`, extras));
  return { role: formRole, name, parts };
}

function readCalls(value: unknown, path: string, extras: Extras): readonly FormPart[] {
  return arrayOf(value).flatMap((call, index): FormPart[] => {
    const fn = isObject(call) ? objectOf(call["function"]) : null;
    const id = isObject(call) ? textOf(call["id"]) : null;
    const name = fn === null ? null : textOf(fn["name"]);
    if (id === null || name === null) {
      extras.set(`${path}.${index}`, call);
      return [];
    }
    const signature = isObject(call) ? proofOf(call) : null;
    const proof = signature === null ? {} : { signature };
    return [{ kind: "tool-call", id, name, argumentsJson: textOf(fn?.["arguments"]) ?? "", ...proof }];
  });
}

/** The proof of a call that Gemini made, as Google's own API in this shape has it. */
function proofOf(call: JsonObject): string | null {
  return textOf(objectOf(objectOf(call["extra_content"])?.["google"])?.["thought_signature"]);
}

function readContent(content: unknown, path: string, extras: Extras): readonly FormPart[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "text", text: content }];
  return arrayOf(content).flatMap((part, index): FormPart[] => {
    const read = isObject(part) ? readPart(part) : null;
    if (read === null) extras.set(`${path}.${index}`, part);
    return read === null ? [] : [read];
  });
}

function readPart(part: JsonObject): FormPart | null {
  const text = textOf(part["text"]);
  const inner = (name: string): JsonObject => objectOf(part[name]) ?? {};
  switch (part["type"]) {
    case "text":
      return text === null ? null : { kind: "text", text, ...readCache(part["cache_control"]) };
    case "refusal":
      return { kind: "refusal", text: textOf(part["refusal"]) ?? "" };
    case "image_url": {
      const url = textOf(inner("image_url")["url"]);
      const detail = textOf(inner("image_url")["detail"]);
      return url === null
        ? null
        : { kind: "image", source: sourceOfUrl(url), detail, ...readCache(part["cache_control"]) };
    }
    case "input_audio": {
      const { data, format } = inner("input_audio");
      if (typeof data !== "string") return null;
      const source: MediaSource = { kind: "data", mediaType: `audio/${textOf(format) ?? "wav"}`, base64: data };
      return { kind: "audio", source, format: textOf(format) };
    }
    case "file": {
      const { file_id: id, file_data: data, filename } = inner("file");
      const name = textOf(filename);
      if (typeof id === "string") return { kind: "document", source: { kind: "file", id }, name };
      return typeof data === "string" ? { kind: "document", source: sourceOfUrl(data), name } : null;
    }
    default:
      return null;
  }
}

/** OpenRouter's and others' mark on a part, in Anthropic's words. */
function readCache(mark: unknown): { readonly cache?: CacheMark } {
  if (!isObject(mark)) return {};
  const { ttl } = mark;
  return { cache: ttl === "5m" || ttl === "1h" ? ttl : "default" };
}

/** Where a URL's bytes are: in itself, when it is a data URL. */
export function sourceOfUrl(url: string): MediaSource {
  const data = /^data:([^;,]+);base64,/.exec(url);
  if (data === null) return { kind: "url", url };
  return { kind: "data", mediaType: data[1] ?? "", base64: url.slice(data[0].length) };
}

function readTools(value: unknown, extras: Extras): readonly FormTool[] {
  return arrayOf(value).flatMap((tool, index): FormTool[] => {
    const fn = isObject(tool) && tool["type"] === "function" ? objectOf(tool["function"]) : null;
    const name = textOf(fn?.["name"]);
    if (fn === null || name === null) {
      extras.set(`tools.${index}`, tool);
      return [];
    }
    const strict = booleanOf(fn["strict"]);
    return [{ name, description: textOf(fn["description"]), parameters: objectOf(fn["parameters"]), strict }];
  });
}

function readToolChoice(value: unknown, extras: Extras): FormToolChoice | null {
  if (value === undefined || value === null) return null;
  if (value === "auto" || value === "none" || value === "required") return { kind: value };
  const name = isObject(value) ? textOf(objectOf(value["function"])?.["name"]) : null;
  if (name !== null) return { kind: "named", name };
  extras.set("tool_choice", value);
  return null;
}

function readFormat(value: unknown, extras: Extras): FormFormat | null {
  if (!isObject(value)) return null;
  if (value["type"] === "text") return { kind: "text" };
  if (value["type"] === "json_object") return { kind: "json" };
  const of = objectOf(value["json_schema"]);
  const schema = objectOf(of?.["schema"]);
  if (of === null || schema === null) {
    extras.set("response_format", value);
    return null;
  }
  const { name, description, strict } = of;
  return {
    kind: "schema",
    name: textOf(name) ?? "answer",
    description: textOf(description),
    schema,
    strict: booleanOf(strict),
  };
}
