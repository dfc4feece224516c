import type {
  FormFormat,
  FormPart,
  FormReasoning,
  FormRequest,
  FormTool,
  FormToolChoice,
  FormTurn,
  MediaSource,
} from "../form/request.ts";
import { type Unreadable, unreadable } from "../form/shape.ts";
import { arrayOf, booleanOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";
import { sourceOfUrl } from "../openai-chat/read-request.ts";

/** Members of a request that the form has a place for, or that say nothing of the answer. */
const READ: ReadonlySet<string> = new Set([
  "model",
  "input",
  "instructions",
  "stream",
  "stream_options",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "text",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "reasoning",
  "user",
  "metadata",
  // Whether the response is kept is the gateway's affair.
  "store",
  "previous_response_id",
]);

type Extras = Map<string, unknown>;

/** The form of a request to create a response (OpenAI API reference, "Create a model response"). */
export function readResponsesRequest(value: unknown): FormRequest | Unreadable {
  if (!isObject(value)) return unreadable("", "is not an object");
  const extras: Extras = new Map(Object.entries(value).filter(([name]) => !READ.has(name)));
  // The default of each of these is what happens here.
  if (extras.get("background") === false) extras.delete("background");
  if (extras.get("truncation") === "disabled") extras.delete("truncation");
  const before = value["previous_response_id"];
  if (before !== undefined && before !== null) {
    return unreadable("previous_response_id", "names a stored response, and none is stored here");
  }
  const turns: FormTurn[] = [];
  const instructions = textOf(value["instructions"]);
  if (instructions !== null)
    turns.push({ role: "developer", name: null, parts: [{ kind: "text", text: instructions }] });
  const input = value["input"];
  if (typeof input === "string") turns.push({ role: "user", name: null, parts: [{ kind: "text", text: input }] });
  for (const [index, item] of arrayOf(input).entries()) {
    const turn = readItem(item, `input.${index}`, extras);
    if (turn === null) extras.set(`input.${index}`, item);
    else if ("kind" in turn) return turn;
    else turns.push(turn);
  }
  const text = objectOf(value["text"]) ?? {};
  if (textOf(text["verbosity"]) !== null) extras.set("verbosity", text["verbosity"]);
  return {
    model: textOf(value["model"]) ?? "",
    turns: joined(turns),
    tools: readTools(value["tools"], extras),
    toolChoice: readToolChoice(value["tool_choice"], extras),
    parallelToolCalls: booleanOf(value["parallel_tool_calls"]),
    format: readFormat(objectOf(text["format"]), extras),
    reasoning: readReasoning(objectOf(value["reasoning"])),
    sampling: {
      temperature: numberOf(value["temperature"]),
      topP: numberOf(value["top_p"]),
      topK: null,
      frequencyPenalty: null,
      presencePenalty: null,
      seed: null,
      stop: [],
      logitBias: null,
      topLogprobs: numberOf(value["top_logprobs"]),
    },
    maxOutputTokens: numberOf(value["max_output_tokens"]),
    stream: value["stream"] === true,
    user: textOf(value["user"]),
    metadata: objectOf(value["metadata"]) as Readonly<Record<string, string>> | null,
    extras,
  };
}

/** Items that the assistant made in one go are one turn: its thought, its words and its calls. */
function joined(turns: readonly FormTurn[]): readonly FormTurn[] {
  const out: FormTurn[] = [];
  for (const turn of turns) {
    const last = out.at(-1);
    if (turn.role === "assistant" && last?.role === "assistant") {
      out[out.length - 1] = { ...last, parts: [...last.parts, ...turn.parts] };
    } else out.push(turn);
  }
  return out;
}

const ROLES: ReadonlySet<string> = new Set(["system", "developer", "user", "assistant"]);

/** One item's turn; null when the form has no place for it. */
function readItem(item: unknown, path: string, extras: Extras): FormTurn | Unreadable | null {
  if (!isObject(item)) return unreadable(path, "is not an object");
  switch (item["type"] ?? "message") {
    case "message": {
      const role = textOf(item["role"]) ?? "";
      if (!ROLES.has(role)) return unreadable(`${path}.role`, "is none of system, developer, user and assistant");
      const parts = readContent(item["content"], `${path}.content`, extras);
      return { role: role as FormTurn["role"], name: null, parts };
    }
    case "function_call": {
      const [id, name] = [textOf(item["call_id"]), textOf(item["name"])];
      if (id === null) return unreadable(`${path}.call_id`, "is missing");
      if (name === null) return unreadable(`${path}.name`, "is missing");
      const argumentsJson = textOf(item["arguments"]) ?? "";
      return { role: "assistant", name: null, parts: [{ kind: "tool-call", id, name, argumentsJson }] };
    }
    case "function_call_output": {
      const callId = textOf(item["call_id"]);
      if (callId === null) return unreadable(`${path}.call_id`, "is missing");
      const content = readContent(item["output"], `${path}.output`, extras);
      return { role: "user", name: null, parts: [{ kind: "tool-result", callId, content, isError: false }] };
    }
    case "reasoning":
      return { role: "assistant", name: null, parts: [readThought(item)] };
    default:
      return null;
  }
}

/** A thought: its words, or its summary's where the words are not given. */
function readThought(item: JsonObject): FormPart {
  const textsOf = (member: string): string =>
    arrayOf(item[member])
      .map((part) => (isObject(part) ? (textOf(part["text"]) ?? "") : ""))
      .join("");
  const words = textsOf("content");
  const text = words === "" ? textsOf("summary") : words;
  const encrypted = textOf(item["encrypted_content"]);
  // What a provider gave along with words is the proof that they are its own; without words it is the thought itself.
  return text === ""
    ? { kind: "reasoning", text, signature: null, encrypted }
    : { kind: "reasoning", text, signature: encrypted, encrypted: null };
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
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return text === null ? null : { kind: "text", text };
    case "refusal":
      return { kind: "refusal", text: textOf(part["refusal"]) ?? "" };
    case "input_image": {
      const source = sourceOf(part["image_url"], part["file_id"]);
      return source === null ? null : { kind: "image", source, detail: textOf(part["detail"]) };
    }
    case "input_file": {
      const source = sourceOf(part["file_url"] ?? part["file_data"], part["file_id"]);
      return source === null ? null : { kind: "document", source, name: textOf(part["filename"]) };
    }
    case "input_audio": {
      const { data, format } = objectOf(part["input_audio"]) ?? {};
      if (typeof data !== "string") return null;
      const kind = textOf(format);
      return {
        kind: "audio",
        source: { kind: "data", mediaType: `audio/${kind ?? "wav"}`, base64: data },
        format: kind,
      };
    }
    default:
      return null;
  }
}

function sourceOf(url: unknown, fileId: unknown): MediaSource | null {
  if (typeof fileId === "string") return { kind: "file", id: fileId };
  return typeof url === "string" ? sourceOfUrl(url) : null;
}

function readTools(value: unknown, extras: Extras): readonly FormTool[] {
  return arrayOf(value).flatMap((tool, index): FormTool[] => {
    const name = isObject(tool) && tool["type"] === "function" ? textOf(tool["name"]) : null;
    if (!isObject(tool) || name === null) {
      extras.set(`tools.${index}`, tool);
      return [];
    }
    const [description, parameters] = [textOf(tool["description"]), objectOf(tool["parameters"])];
    return [{ name, description, parameters, strict: booleanOf(tool["strict"]) }];
  });
}

function readToolChoice(value: unknown, extras: Extras): FormToolChoice | null {
  if (value === undefined || value === null) return null;
  if (value === "auto" || value === "none" || value === "required") return { kind: value };
  const name = isObject(value) && value["type"] === "function" ? textOf(value["name"]) : null;
  if (name !== null) return { kind: "named", name };
  extras.set("tool_choice", value);
  return null;
}

function readFormat(format: JsonObject | null, extras: Extras): FormFormat | null {
  if (format === null) return null;
  if (format["type"] === "text") return { kind: "text" };
  if (format["type"] === "json_object") return { kind: "json" };
  const schema = format["type"] === "json_schema" ? objectOf(format["schema"]) : null;
  if (schema === null) {
    extras.set("text.format", format);
    return null;
  }
  const [name, description] = [textOf(format["name"]) ?? "answer", textOf(format["description"])];
  return { kind: "schema", name, description, schema, strict: booleanOf(format["strict"]) };
}

function readReasoning(value: JsonObject | null): FormReasoning | null {
  if (value === null) return null;
  const effort = textOf(value["effort"]);
  const summary = textOf(value["summary"]);
  return { enabled: effort === null ? null : effort !== "none", effort, budgetTokens: null, summary };
}
