import { Type } from "typebox";
import { Compile } from "typebox/compile";
import type { Endpoint, Needs } from "../base/job.ts";
import { countRequest, messagesRequest } from "./anthropic/door.ts";
import { isDeeperThan } from "./depth.ts";
import { arrayOf, isObject, type JsonObject } from "./json.ts";
import { needsOf } from "./needs.ts";

/** What Baseload reads of a request; the rest passes as bytes. */
export interface ParsedRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly wantsUsage: boolean;
  readonly maxOutputTokens: number | null;
  /** The request's `user` member, or null. */
  readonly user: string | null;
  /** Length of the prompt's text in UTF-16 code units. */
  readonly promptTextLength: number;
  readonly needs: Needs;
  /** The parsed body, for `promptText`. */
  readonly value: unknown;
}

export type ParseResult =
  | { readonly ok: true; readonly request: ParsedRequest }
  | {
      readonly ok: false;
      readonly code: "invalid_json" | "invalid_request" | "json_too_deep";
      readonly detail: string;
      readonly param: string | null;
    };

const nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

const common = {
  model: Type.String({ minLength: 1, maxLength: 256 }),
  stream: nullable(Type.Boolean()),
  stream_options: nullable(Type.Object({ include_usage: nullable(Type.Boolean()) })),
  max_tokens: nullable(Type.Integer({ minimum: 0 })),
  max_completion_tokens: nullable(Type.Integer({ minimum: 0 })),
  user: nullable(Type.String()),
};

const chat = Compile(
  Type.Object({
    ...common,
    messages: Type.Array(Type.Object({ role: Type.String() }), { minItems: 1 }),
  }),
);

const responses = Compile(
  Type.Object({
    model: common.model,
    stream: common.stream,
    max_output_tokens: common.max_tokens,
    user: common.user,
    input: Type.Union([Type.String(), Type.Array(Type.Object({}))]),
  }),
);

const textOrTokens = Type.Union([
  Type.String(),
  Type.Array(Type.Union([Type.String(), Type.Number(), Type.Array(Type.Number())])),
]);

const embeddings = Compile(Type.Object({ model: common.model, user: common.user, input: textOrTokens }));

const completions = Compile(
  Type.Object({
    ...common,
    prompt: textOrTokens,
  }),
);

const SCHEMAS = {
  chat,
  completions,
  responses,
  embeddings,
  messages: messagesRequest,
  count_tokens: countRequest,
} as const;

/** Endpoints that answer in one piece, whatever the body says. */
const NEVER_STREAMED: ReadonlySet<Endpoint> = new Set(["embeddings", "count_tokens"]);
/** Endpoints whose streams always say what was used. */
const TELLS_USAGE: ReadonlySet<Endpoint> = new Set(["responses", "messages"]);

interface Known {
  readonly model: string;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly max_output_tokens?: number | null;
  readonly user?: string | null;
  readonly metadata?: { readonly user_id?: string | null } | null;
}

/**
 * Parses a body for `endpoint`, of at most `maxDepth` levels of objects and arrays. Unknown members are fine; known ones must have
 * their types.
 */
export function parseRequest(endpoint: Endpoint, body: Buffer, maxDepth: number): ParseResult {
  if (isDeeperThan(body, maxDepth))
    return { ok: false, code: "json_too_deep", detail: `more than ${maxDepth} levels`, param: null };
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    return { ok: false, code: "invalid_json", detail: wordsOf(error), param: null };
  }
  const schema = SCHEMAS[endpoint];
  if (!schema.Check(value)) {
    const { detail, param } = firstProblem(schema.Errors(value));
    return { ok: false, code: "invalid_request", detail, param };
  }
  const known = value as Known;
  return {
    ok: true,
    request: {
      model: known.model,
      stream: !NEVER_STREAMED.has(endpoint) && known.stream === true,
      wantsUsage: TELLS_USAGE.has(endpoint) || known.stream_options?.include_usage === true,
      maxOutputTokens: known.max_completion_tokens ?? known.max_output_tokens ?? known.max_tokens ?? null,
      user: (endpoint === "messages" ? known.metadata?.user_id : known.user) ?? null,
      promptTextLength: walkPrompt(value, null),
      needs: needsOf(value),
      value,
    },
  };
}

// V8 quotes the text around the error, and a body may hold what should not be repeated in logs: only the position that stands
// at the very end is V8's own word, since a quotation never ends a message.
function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const position = / in JSON at (position \d+(?: \(line \d+ column \d+\))?)$/.exec(message);
  if (position !== null) return `at ${position[1]}`;
  return message.startsWith("Unexpected end") ? "it ends too early or is empty" : "it has a character out of place";
}

interface Problem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function firstProblem(problems: readonly Problem[]): { readonly detail: string; readonly param: string | null } {
  const problem = problems[0];
  if (problem === undefined) return { detail: "unknown problem", param: null };
  const path = problem.instancePath.replace(/^\//, "").replaceAll("/", ".");
  if (problem.keyword === "required") {
    const [name = ""] =
      (problem.params as { readonly requiredProperties?: readonly string[] }).requiredProperties ?? [];
    const missing = path === "" ? name : `${path}.${name}`;
    return { detail: `\`${missing}\` is missing`, param: missing };
  }
  return {
    detail: path === "" ? `the body ${problem.message}` : `\`${path}\` ${problem.message}`,
    param: path === "" ? null : path,
  };
}

/** The prompt's text, for counting its tokens; images, audio and token arrays are left out. */
export function promptText(value: unknown): string {
  const parts: string[] = [];
  walkPrompt(value, parts);
  return parts.join("\n");
}

/** A message, or an item of a response's input, as far as it holds text. */
interface Turn {
  readonly content?: unknown;
  readonly output?: unknown;
  readonly arguments?: unknown;
}

/** Members of a body that hold text, in any API. */
type Body = {
  readonly [member in "messages" | "prompt" | "tools" | "input" | "instructions" | "system"]?: unknown;
};

/** Length of all text in the prompt; the texts themselves are put into `into` where it is given. */
function walkPrompt(value: unknown, into: string[] | null): number {
  let length = 0;
  const add = (text: unknown): void => {
    if (typeof text !== "string") return;
    length += text.length;
    into?.push(text);
  };
  const addContent = (content: unknown): void => {
    if (typeof content === "string") return add(content);
    for (const part of arrayOf(content)) {
      if (!isObject(part)) continue;
      add(part["text"]);
      if (typeof part["type"] === "string" && OF_ANTHROPIC.has(part["type"])) addBlock(part, { add, addContent });
    }
  };
  const body = value as Body;
  if (typeof body.prompt === "string") add(body.prompt);
  else arrayOf(body.prompt).forEach(add);
  if (Array.isArray(body.tools)) add(JSON.stringify(body.tools));
  add(body.instructions);
  addContent(body.system);
  if (typeof body.input === "string") add(body.input);
  const turns = Array.isArray(body.messages) ? body.messages : Array.isArray(body.input) ? body.input : [];
  for (const turn of turns as readonly (Turn | string | number)[]) {
    // Embeddings take texts, or tokens, which have no text.
    if (typeof turn !== "object") {
      add(turn);
      continue;
    }
    addContent(turn.content);
    addContent(turn.output);
    add(turn.arguments);
  }
  return length;
}

/** Blocks that Anthropic's API alone has and that hold text. */
const OF_ANTHROPIC: ReadonlySet<string> = new Set(["thinking", "tool_use", "tool_result", "document"]);

/** The text of such a block. */
function addBlock(
  block: JsonObject,
  { add, addContent }: { readonly add: (text: unknown) => void; readonly addContent: (content: unknown) => void },
): void {
  add(block["thinking"]);
  addContent(block["content"]);
  if (block["input"] !== undefined) add(JSON.stringify(block["input"]));
  const { source } = block;
  if (isObject(source) && source["type"] === "text") add(source["data"]);
}
