/** Reads what a chat request says of tools: their definitions, the choice among them, and the calls of earlier turns. */
import { badValue, unsupported } from "./errors.ts";
import { type Fields, isFields, isNonEmpty, isSet, readFlag } from "./fields.ts";

/** One tool that the model may call. */
export type Tool = {
  readonly name: string;
  /** JSON Schema of its arguments; an object without properties where none was given. */
  readonly parameters: Fields;
  /** Whether calls must be valid by the schema, which then a grammar sees to. */
  readonly strict: boolean;
  /** The definition as it came, for the model's template. */
  readonly definition: Fields;
};

/** The tools of a request and how they may be used. */
export type ToolUse = {
  readonly tools: readonly Tool[];
  /** `auto` leaves it to the model; `required` forces a call of any tool, or of the one that is named. */
  readonly choice: "auto" | "required";
  /** The tools that may be called: all, or the named one. */
  readonly callable: readonly Tool[];
  /** Whether one answer may call several. */
  readonly parallel: boolean;
};

/** A call in an earlier assistant's turn, its arguments parsed, as templates want them. */
export type PastCall = {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: Fields };
};

const NAME = /^[a-zA-Z0-9_.-]{1,64}$/;
const TOOLS_MAX = 128;

/** The tools of a chat request, or null where there are none or none may be used. Throws `ApiError` 400. */
export function readToolUse(body: Fields): ToolUse | null {
  if (isNonEmpty(body["functions"])) throw unsupported("functions", "functions, which tools have replaced");
  if (isSet(body["function_call"])) throw unsupported("function_call", "function_call, which tool_choice has replaced");
  const tools = readTools(body["tools"]);
  const given = body["tool_choice"] ?? "auto";
  if (tools.length === 0) {
    if (given !== "auto" && given !== "none") throw badValue("tool_choice", "it needs tools to choose from");
    return null;
  }
  if (given === "none") return null;
  const parallel = readFlag(body, "parallel_tool_calls", true);
  if (given === "auto" || given === "required") return { tools, choice: given, callable: tools, parallel };
  const named = readNamed(given, tools);
  return { tools, choice: "required", callable: [named], parallel: false };
}

function readTools(given: unknown): readonly Tool[] {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) throw badValue("tools", "it must be an array");
  if (given.length > TOOLS_MAX) throw badValue("tools", `it must have at most ${TOOLS_MAX}`);
  const tools = given.map((tool: unknown, index) => readTool(tool, `tools[${index}]`));
  const names = tools.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw badValue("tools", `two tools have the name ${twice}`);
  return tools;
}

function readTool(tool: unknown, param: string): Tool {
  if (!isFields(tool)) throw badValue(param, "it must be an object");
  if (tool["type"] !== "function")
    throw unsupported(`${param}.type`, `tools of type ${JSON.stringify(tool["type"] ?? null)}; only function`);
  const definition = tool["function"];
  if (!isFields(definition)) throw badValue(`${param}.function`, "it must be an object");
  const { name } = definition;
  if (typeof name !== "string" || !NAME.test(name))
    throw badValue(`${param}.function.name`, "it must be 1 to 64 letters, digits, dots, dashes or underscores");
  const parameters = definition["parameters"] ?? { type: "object", properties: {} };
  if (!isFields(parameters)) throw badValue(`${param}.function.parameters`, "it must be a JSON Schema, an object");
  return { name, parameters, strict: readFlag(definition, "strict"), definition: tool };
}

function readNamed(given: unknown, tools: readonly Tool[]): Tool {
  const named = isFields(given) && given["type"] === "function" ? given["function"] : null;
  const name = isFields(named) ? named["name"] : null;
  if (typeof name !== "string")
    throw badValue("tool_choice", 'it must be "none", "auto", "required" or {type: "function", function: {name}}');
  const tool = tools.find((each) => each.name === name);
  if (tool === undefined) throw badValue("tool_choice", `there is no tool called ${JSON.stringify(name.slice(0, 64))}`);
  return tool;
}

/** The calls of an assistant's earlier turn. Throws `ApiError` 400. */
export function readPastCalls(given: unknown, param: string): readonly PastCall[] {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) throw badValue(param, "it must be an array");
  return given.map((call: unknown, index) => readPastCall(call, `${param}[${index}]`));
}

function readPastCall(call: unknown, param: string): PastCall {
  if (!isFields(call) || !isFields(call["function"])) throw badValue(param, "it must be an object with a function");
  const { id } = call;
  const { name, arguments: text } = call["function"];
  if (typeof id !== "string" || id === "") throw badValue(`${param}.id`, "it must be a non-empty string");
  if (typeof name !== "string" || name === "")
    throw badValue(`${param}.function.name`, "it must be a non-empty string");
  return { id, type: "function", function: { name, arguments: readArguments(text, `${param}.function.arguments`) } };
}

function readArguments(text: unknown, param: string): Fields {
  let value: unknown = null;
  try {
    value = JSON.parse(typeof text === "string" && text !== "" ? text : "{}");
  } catch {
    // What is no JSON is refused below, together with what is no object.
  }
  if (typeof text !== "string" || !isFields(value))
    throw badValue(param, "it must be a JSON object, written as a string");
  return value;
}
