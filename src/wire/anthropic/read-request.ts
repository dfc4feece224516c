import type {
  FormFormat,
  FormReasoning,
  FormRequest,
  FormSampling,
  FormTool,
  FormToolChoice,
  FormTurn,
} from "../form/request.ts";
import { DEFAULT_SAMPLING } from "../form/request.ts";
import { type Unreadable, unreadable } from "../form/shape.ts";
import { cacheOf, type Extras, keepOthers, readContent } from "./read-blocks.ts";
import { arrayOf, booleanOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../json.ts";

/** Members of a request that are read here; the others go to the form's extras. */
const KNOWN = [
  "model",
  "messages",
  "system",
  "max_tokens",
  "stream",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "tools",
  "tool_choice",
  "thinking",
  "output_config",
  "output_format",
  "metadata",
];

/** The name of an answer's schema, which Anthropic's API does not give it. */
const SCHEMA_NAME = "answer";

/** Reads a request of the Messages API that the door has checked. */
export function readRequest(value: unknown): FormRequest | Unreadable {
  if (!isObject(value)) return unreadable("", "must be an object");
  if (typeof value["model"] !== "string") return unreadable("model", "must be a name");
  if (!Array.isArray(value["messages"])) return unreadable("messages", "must be a list");
  const extras: Extras = new Map();
  const turns = readTurns(value, extras);
  if ("kind" in turns) return turns;
  keepOthers(value, KNOWN, { path: "", extras });
  // The form keeps OpenAI's words for tiers.
  if (extras.get("service_tier") === "standard_only") extras.set("service_tier", "default");
  const choice = objectOf(value["tool_choice"]);
  return {
    model: value["model"],
    turns,
    tools: readTools(value["tools"], extras),
    toolChoice: choice === null ? null : readChoice(choice, extras),
    parallelToolCalls: parallelOf(choice),
    format: readFormat(value, extras),
    reasoning: readReasoning(value, extras),
    sampling: readSampling(value),
    maxOutputTokens: numberOf(value["max_tokens"]),
    stream: value["stream"] === true,
    user: userOf(value["metadata"], extras),
    metadata: null,
    extras,
  };
}

function readTurns(value: JsonObject, extras: Extras): FormTurn[] | Unreadable {
  const turns: FormTurn[] = [];
  const system = readContent(value["system"], { path: "system", extras });
  if (system.length > 0) turns.push({ role: "system", name: null, parts: system });
  for (const [index, message] of arrayOf(value["messages"]).entries()) {
    const path = `messages.${index}`;
    const role = isObject(message) ? message["role"] : null;
    if (!isObject(message) || (role !== "user" && role !== "assistant" && role !== "system")) {
      return unreadable(`${path}.role`, "must be user, assistant or system");
    }
    keepOthers(message, ["role", "content"], { path, extras });
    const parts = readContent(message["content"], { path: `${path}.content`, extras });
    // A message of nothing but what went to the extras would be an empty one, which other APIs refuse.
    if (parts.length > 0) turns.push({ role, name: null, parts });
  }
  return turns;
}

/** The functions among the tools; those that the provider itself runs or defines go to the extras. */
function readTools(tools: unknown, extras: Extras): readonly FormTool[] {
  return arrayOf(tools).flatMap((tool, index): readonly FormTool[] => {
    const path = `tools.${index}`;
    const type = isObject(tool) ? (tool["type"] ?? "custom") : null;
    if (!isObject(tool) || type !== "custom" || typeof tool["name"] !== "string") {
      extras.set(path, tool);
      return [];
    }
    keepOthers(tool, ["type", "name", "description", "input_schema", "strict", "cache_control"], { path, extras });
    return [
      {
        name: tool["name"],
        description: textOf(tool["description"]),
        parameters: objectOf(tool["input_schema"]),
        strict: booleanOf(tool["strict"]),
        ...cacheOf(tool),
      },
    ];
  });
}

function readChoice(choice: JsonObject, extras: Extras): FormToolChoice | null {
  const { type, name } = choice;
  if (type === "auto" || type === "none") return { kind: type };
  if (type === "any") return { kind: "required" };
  if (type === "tool" && typeof name === "string") return { kind: "named", name };
  extras.set("tool_choice", choice);
  return null;
}

function parallelOf(choice: JsonObject | null): boolean | null {
  const disabled = booleanOf(choice?.["disable_parallel_tool_use"]);
  return disabled === null ? null : !disabled;
}

/** The answer's schema: `output_config.format`, and `output_format`, as it was called at first. */
function readFormat(value: JsonObject, extras: Extras): FormFormat | null {
  const config = objectOf(value["output_config"]) ?? {};
  keepOthers(config, ["effort", "format"], { path: "output_config", extras });
  const path = isObject(config["format"]) ? "output_config.format" : "output_format";
  const format = config["format"] ?? value["output_format"];
  if (!isObject(format)) return null;
  const { type, schema } = format;
  if (type !== "json_schema" || !isObject(schema)) {
    extras.set(path, format);
    return null;
  }
  keepOthers(format, ["type", "schema"], { path, extras });
  return { kind: "schema", name: SCHEMA_NAME, description: null, schema, strict: true };
}

function readReasoning(value: JsonObject, extras: Extras): FormReasoning | null {
  const { output_config: config, thinking } = value;
  const effort = isObject(config) ? textOf(config["effort"]) : null;
  const nothing = { enabled: null, effort, budgetTokens: null, summary: null };
  if (!isObject(thinking)) return effort === null ? null : nothing;
  const { type } = thinking;
  if (type !== "enabled" && type !== "adaptive" && type !== "disabled") {
    extras.set("thinking", thinking);
    return effort === null ? null : nothing;
  }
  keepOthers(thinking, ["type", "budget_tokens"], { path: "thinking", extras });
  return { ...nothing, enabled: type !== "disabled", budgetTokens: numberOf(thinking["budget_tokens"]) };
}

function readSampling(value: JsonObject): FormSampling {
  return {
    ...DEFAULT_SAMPLING,
    temperature: numberOf(value["temperature"]),
    topP: numberOf(value["top_p"]),
    topK: numberOf(value["top_k"]),
    stop: arrayOf(value["stop_sequences"]).filter((each) => typeof each === "string"),
  };
}

function userOf(metadata: unknown, extras: Extras): string | null {
  if (!isObject(metadata)) return null;
  keepOthers(metadata, ["user_id"], { path: "metadata", extras });
  return textOf(metadata["user_id"]);
}
