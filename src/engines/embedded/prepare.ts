/** From a request's body to what the model is to compute: the prompt's tokens, the grammar and the reader of the answer. */
import {
  type LlamaGrammarEvaluationState as GrammarState,
  LlamaGrammarEvaluationState,
  type Token,
} from "node-llama-cpp";
import { ApiError, badValue } from "./errors.ts";
import { schemaGrammar } from "./grammar/json-schema.ts";
import { SchemaError } from "./grammar/schema-error.ts";
import type { LoadedEngine } from "./load.ts";
import { type GenerationOptions, parseBody, readChatRequest, readCompletionRequest } from "./request.ts";
import type { OutputForm } from "./request-output.ts";
import type { ToolUse } from "./request-tools.ts";
import { type AnswerShape, CHAT_SHAPE, COMPLETION_SHAPE } from "./shapes.ts";
import { type AnswerReader, PlainReader, ToolReader } from "./tools/answer-reader.ts";
import { markersOf, type ToolFormat } from "./tools/format.ts";
import { toolGrammar } from "./tools/tool-grammar.ts";

/** A request that was read and fits the context. */
export type Prepared = GenerationOptions & {
  readonly shape: AnswerShape;
  readonly prompt: Token[];
  readonly continuesPrompt: boolean;
  readonly grammar: GrammarState | null;
  readonly visible: ReadonlyMap<Token, string>;
  readonly reader: AnswerReader;
};

/** Prepares a chat. Throws `ApiError` 400 for whatever cannot be served. */
export async function prepareChat(engine: LoadedEngine, bodyText: string): Promise<Prepared> {
  const { messages, toolUse, ...options } = readChatRequest(parseBody(bodyText));
  if (engine.template === null) {
    throw new ApiError(400, "This model has no chat template; use /v1/completions.", { code: "no_chat_template" });
  }
  const tools = toolUse === null ? null : { use: toolUse, format: formatOf(engine) };
  const text = engine.template(
    messages,
    (toolUse?.tools ?? []).map(({ definition }) => definition),
  );
  if (toolUse !== null) checkTaught(text, toolUse);
  const prompt = tokenize(engine, text, "messages");
  const grammar = await grammarFor(engine, options.form, tools);
  const reader =
    tools === null
      ? new PlainReader()
      : new ToolReader(tools.format, {
          names: tools.use.callable.map(({ name }) => name),
          parallel: tools.use.parallel,
        });
  const visible = tools === null ? new Map<Token, string>() : visibleTokens(engine, tools.format);
  return { ...options, shape: CHAT_SHAPE, prompt, continuesPrompt: false, grammar, visible, reader };
}

/** Prepares a completion. Throws `ApiError` 400 for whatever cannot be served. */
export async function prepareCompletion(engine: LoadedEngine, bodyText: string): Promise<Prepared> {
  const { prompt: text, ...options } = readCompletionRequest(parseBody(bodyText));
  const prompt = tokenize(engine, text, "prompt");
  const grammar = await grammarFor(engine, options.form, null);
  const reader = new PlainReader();
  return { ...options, shape: COMPLETION_SHAPE, prompt, continuesPrompt: true, grammar, visible: new Map(), reader };
}

function formatOf({ toolFormat }: LoadedEngine): ToolFormat {
  if (toolFormat !== null && !("unknown" in toolFormat)) return toolFormat;
  const message =
    toolFormat === null
      ? "This model's chat template knows no tools. Leave `tools` out, or use a model that was made for them."
      : `This model's chat template writes tool calls with ${toolFormat.unknown}, which the embedded engine does not read.`;
  throw new ApiError(400, message, { param: "tools", code: "unsupported_parameter" });
}

/** A template may mention tools and leave these out all the same, for example beside some roles. */
function checkTaught(prompt: string, { tools }: ToolUse): void {
  const missing = tools.find(({ name }) => !prompt.includes(name));
  if (missing === undefined) return;
  const message = `This model's chat template does not tell the model about the tool ${missing.name}.`;
  throw new ApiError(400, message, { param: "tools", code: "unsupported_parameter" });
}

/** Tokens of a prompt, with the model's begin token if it wants one. Throws `ApiError` 400 if there are too many, or none. */
export function tokenize({ model, info }: LoadedEngine, text: string, param: string): Token[] {
  const tokens = [...model.tokenize(text, true)];
  const { bos, shouldPrependBosToken } = model.tokens;
  if (bos !== null && shouldPrependBosToken && tokens[0] !== bos) tokens.unshift(bos);
  if (tokens.length === 0) throw new ApiError(400, "The prompt is empty.", { param, code: "invalid_value" });
  if (tokens.length >= info.contextTokens) throw contextExceeded(info.contextTokens, tokens.length, param);
  return tokens;
}

/** The error of a prompt that leaves no room for an answer, in OpenAI's words. */
export function contextExceeded(contextTokens: number, tokens: number, param: string): ApiError {
  const message = `This model's maximum context length is ${contextTokens} tokens. However, your ${param} resulted in ${tokens} tokens. Please reduce the length of the ${param}.`;
  return new ApiError(400, message, { param, code: "context_length_exceeded" });
}

/** A grammar of this length takes llama.cpp about a second to read. */
const GRAMMAR_LENGTH_MAX = 1024 * 1024;

type ToolsInUse = { readonly use: ToolUse; readonly format: ToolFormat };

/** The grammar of an answer, ready for one generation, or null where anything may be said. */
async function grammarFor(
  engine: LoadedEngine,
  form: OutputForm,
  tools: ToolsInUse | null,
): Promise<GrammarState | null> {
  const text = grammarText(form, tools);
  if (text === null) return null;
  if (text.length > GRAMMAR_LENGTH_MAX)
    throw badValue("response_format", "its schemas make too large a grammar; ask for less at once");
  try {
    const grammar = await engine.llama.createGrammar({ grammar: text });
    return new LlamaGrammarEvaluationState({ model: engine.model, grammar });
  } catch {
    // llama.cpp tells its log what is wrong and where, and its caller only that something is.
    throw badValue(form.kind === "grammar" ? "grammar" : "response_format", "llama.cpp cannot parse its grammar");
  }
}

function grammarText(form: OutputForm, tools: ToolsInUse | null): string | null {
  if (tools !== null && form.kind !== "grammar") {
    const { use, format } = tools;
    const content = form.kind === "json" ? form : null;
    const isFree = use.choice === "auto" && content === null && !use.callable.some(({ strict }) => strict);
    return isFree ? null : explained("tools", () => toolGrammar(use, format, content));
  }
  if (tools?.use.choice === "required")
    throw badValue("grammar", "it cannot stand beside a tool_choice that forces a call");
  if (form.kind === "grammar") return form.grammar;
  return form.kind === "json" ? explained(form.param, () => schemaGrammar(form.schema)) : null;
}

/** What a schema cannot promise is the caller's business, by name. */
function explained(param: string, make: () => string): string {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    const code = error.keyword === null ? "invalid_value" : "unsupported_parameter";
    throw new ApiError(400, `The JSON Schema in '${param}' cannot be followed: ${error.message}.`, { param, code });
  }
}

/** Markers that are control tokens of this model: without this they would not be seen in its text. */
function visibleTokens({ model }: LoadedEngine, format: ToolFormat): ReadonlyMap<Token, string> {
  const visible = new Map<Token, string>();
  for (const marker of markersOf(format)) {
    const tokens = model.tokenize(marker, true);
    const [token] = tokens;
    if (tokens.length === 1 && token !== undefined && model.detokenize([token], false) === "")
      visible.set(token, marker);
  }
  return visible;
}
