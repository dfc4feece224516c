/** Reads what form a request wants its answer in. */
import { badValue, unsupported } from "./errors.ts";
import { isTooDeep } from "./grammar/brackets.ts";
import { type Fields, isFields, isSet, readFlag, readInteger } from "./fields.ts";

/** The form of an answer's text. */
export type OutputForm =
  | { readonly kind: "text" }
  /** Any JSON object, or JSON that is valid by a schema. */
  | { readonly kind: "json"; readonly schema: unknown; readonly param: string }
  /** Text of a grammar in llama.cpp's notation, GBNF, whose first rule is `root`. */
  | { readonly kind: "grammar"; readonly grammar: string };

/** How many of the likeliest tokens are told at each place, besides the chosen one. */
export type LogprobsWish = { readonly top: number };

const GRAMMAR_LENGTH_MAX = 256 * 1024;

/** The form that `response_format` or `grammar` asks for. Throws `ApiError` 400. */
export function readOutputForm(body: Fields): OutputForm {
  const format = readFormat(body["response_format"]);
  const { grammar } = body;
  if (!isSet(grammar)) return format;
  if (format.kind !== "text") throw badValue("grammar", "it cannot stand beside a response_format");
  if (typeof grammar !== "string") throw badValue("grammar", "it must be a string in GBNF");
  if (grammar.length > GRAMMAR_LENGTH_MAX)
    throw badValue("grammar", `it must have at most ${GRAMMAR_LENGTH_MAX} characters`);
  if (isTooDeep(grammar)) throw badValue("grammar", "its brackets are nested too deep");
  return { kind: "grammar", grammar };
}

function readFormat(format: unknown): OutputForm {
  if (!isSet(format)) return { kind: "text" };
  if (!isFields(format)) throw badValue("response_format", "it must be an object with a type");
  switch (format["type"]) {
    case "text":
      return { kind: "text" };
    case "json_object":
      return { kind: "json", schema: { type: "object" }, param: "response_format" };
    case "json_schema":
      return readSchema(format["json_schema"]);
    default:
      throw unsupported(
        "response_format",
        `a response_format of type ${JSON.stringify(format["type"] ?? null)}; text, json_object and json_schema are`,
      );
  }
}

/** The schema is followed whether or not `strict` is said: a grammar knows no halves. */
function readSchema(given: unknown): OutputForm {
  const param = "response_format.json_schema";
  if (!isFields(given)) throw badValue(param, "it must be an object with a name and a schema");
  if (typeof given["name"] !== "string") throw badValue(`${param}.name`, "it must be a string");
  if (!isFields(given["schema"])) throw badValue(`${param}.schema`, "it must be a JSON Schema, an object");
  readFlag(given, "strict");
  return { kind: "json", schema: given["schema"], param: `${param}.schema` };
}

/** `logprobs` and `top_logprobs` of a chat. Throws `ApiError` 400. */
export function readChatLogprobs(body: Fields): LogprobsWish | null {
  const wanted = readFlag(body, "logprobs");
  const top = readCount(body, "top_logprobs", 20);
  if (!wanted && top !== null && top > 0) throw badValue("top_logprobs", "it needs logprobs to be true");
  return wanted ? { top: top ?? 0 } : null;
}

/** `logprobs` of a completion, where it is a count. Throws `ApiError` 400. */
export function readCompletionLogprobs(body: Fields): LogprobsWish | null {
  const top = body["logprobs"] === false ? null : readCount(body, "logprobs", 5);
  return top === null ? null : { top };
}

function readCount(body: Fields, param: string, most: number): number | null {
  const count = readInteger(body, param, 0);
  if (count !== null && count > most) throw badValue(param, `it must be an integer from 0 to ${most}`);
  return count;
}
