import { arrayOf, isObject, type JsonObject, numberOf, objectOf, textOf } from "../../src/wire/json.ts";
import { CapableModel, type Demand, type Reply, type Token, vectorOf } from "./model.ts";

const model = new CapableModel();
const ENDS = { stop: "stop", sequence: "stop", length: "length", call: "tool_calls" } as const;

/** An answer of a server with OpenAI's API: an error, or a whole answer and the data of its stream. */
export type OpenAiAnswer =
  | { readonly error: string }
  | { readonly error: null; readonly whole: JsonObject; readonly chunks: readonly JsonObject[] };

/** Answers a chat or a text completion as its request asks. */
export function capableAnswer(body: JsonObject, isChat: boolean): OpenAiAnswer {
  const top = numberOf(body["top_logprobs"]);
  if (top !== null && (top > 20 || body["logprobs"] !== true)) return { error: "top_logprobs is wrong" };
  const reply = model.answer(
    isChat ? demandOf(body) : { ...NOTHING, ...limitsOf(body), prompt: [String(body["prompt"])] },
  );
  if (typeof reply === "string") return { error: reply };
  return isChat ? chatAnswer(reply, body) : textAnswer(reply, body);
}

const NOTHING: Demand = {
  prompt: [],
  tools: [],
  choice: "auto",
  form: null,
  maxTokens: null,
  stop: [],
  calls: [],
  results: [],
};

function limitsOf(body: JsonObject): Pick<Demand, "maxTokens" | "stop"> {
  const { stop } = body;
  const maxTokens = numberOf(body["max_completion_tokens"]) ?? numberOf(body["max_tokens"]);
  return {
    maxTokens,
    stop: typeof stop === "string" ? [stop] : arrayOf(stop).filter((each) => typeof each === "string"),
  };
}

function demandOf(body: JsonObject): Demand {
  const messages = arrayOf(body["messages"]).filter(isObject);
  const calls = messages.flatMap((message) => arrayOf(message["tool_calls"]).filter(isObject));
  const format = objectOf(body["response_format"]);
  const choice = body["tool_choice"];
  const name = textOf(objectOf(objectOf(choice)?.["function"])?.["name"]);
  return {
    ...limitsOf(body),
    prompt: messages.map(({ role, content }) => `${String(role)}: ${JSON.stringify(content)}`),
    tools: arrayOf(body["tools"]).flatMap((tool) => {
      const fn = isObject(tool) ? objectOf(tool["function"]) : null;
      return fn === null ? [] : [{ name: String(fn["name"]), schema: fn["parameters"] ?? { type: "object" } }];
    }),
    choice: name === null ? (choice === "required" || choice === "none" ? choice : "auto") : { name },
    form: format?.["type"] === "json_object" ? "json" : objectOf(objectOf(format?.["json_schema"])?.["schema"]),
    calls: calls.map(({ id }) => String(id)),
    results: messages.filter(({ role }) => role === "tool").map((message) => String(message["tool_call_id"])),
  };
}

function usageOf({ usage }: Reply): JsonObject {
  const { prompt, cached, output } = usage;
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function chatAnswer(reply: Reply, body: JsonObject): OpenAiAnswer {
  const { call, text, tokens, end } = reply;
  const told = (some: readonly Token[]): JsonObject | null =>
    body["logprobs"] === true
      ? { content: some.map((token) => logprobOf(token, numberOf(body["top_logprobs"]) ?? 0)) }
      : null;
  const called = call && {
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.input) },
  };
  const message = {
    role: "assistant",
    content: called === null ? text : null,
    ...(called && { tool_calls: [called] }),
  };
  const finish_reason = ENDS[end];
  const head = { id: "capable", created: 1_700_000_000, model: "capable" };
  const chunk = (delta: JsonObject, more: JsonObject = {}): JsonObject => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
  });
  const pieces =
    called === null
      ? tokens.map((token) => chunk({ content: token.text }, { logprobs: told([token]) }))
      : callPieces(called).map((piece) => chunk({ tool_calls: [{ index: 0, ...piece }] }));
  const usage = usageOf(reply);
  return {
    error: null,
    whole: {
      ...head,
      object: "chat.completion",
      choices: [{ index: 0, message, logprobs: told(tokens), finish_reason }],
      usage,
    },
    chunks: [
      chunk({ role: "assistant", content: "" }),
      ...pieces,
      chunk({}, { finish_reason }),
      { ...head, object: "chat.completion.chunk", choices: [], usage },
    ],
  };
}

function callPieces(call: {
  readonly id: string;
  readonly type: string;
  readonly function: { name: string; arguments: string };
}) {
  const { name, arguments: args } = call.function;
  const half = Math.ceil(args.length / 2);
  const parts = [args.slice(0, half), args.slice(half)].filter((part) => part !== "");
  return [{ ...call, function: { name, arguments: "" } }, ...parts.map((part) => ({ function: { arguments: part } }))];
}

function logprobOf({ text, top }: Token, count: number): JsonObject {
  const of = (token: string, logprob: number): JsonObject => ({ token, logprob, bytes: [...Buffer.from(token)] });
  return {
    ...of(text, top[0]?.logprob ?? 0),
    top_logprobs: top.slice(0, count).map((each) => of(each.text, each.logprob)),
  };
}

function textAnswer(reply: Reply, body: JsonObject): OpenAiAnswer {
  const { tokens, text } = reply;
  let offset = 0;
  const text_offset = tokens.map((token) => (offset += token.text.length) - token.text.length);
  const logprobs = {
    tokens: tokens.map((token) => token.text),
    token_logprobs: tokens.map(({ top }) => top[0]?.logprob ?? 0),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.slice(0, numberOf(body["logprobs"]) ?? 0).map((each) => [each.text, each.logprob])),
    ),
    text_offset,
  };
  const choice = { index: 0, text, logprobs, finish_reason: ENDS[reply.end] };
  const whole = {
    id: "capable",
    object: "text_completion",
    model: "capable",
    choices: [choice],
    usage: usageOf(reply),
  };
  return { error: null, whole, chunks: [whole] };
}

/** Embeddings of the texts, or null where there is nothing to embed. */
export function capableEmbeddings({ input, encoding_format: format }: JsonObject): JsonObject | null {
  const texts = typeof input === "string" ? [input] : arrayOf(input);
  const vectors = texts.map(vectorOf);
  if (texts.length === 0 || vectors.includes(null)) return null;
  const tokens = texts.reduce<number>((sum, text) => sum + Math.ceil(String(text).length / 4), 0);
  return {
    object: "list",
    model: "capable",
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: format === "base64" ? Buffer.from(Float32Array.from(vector ?? []).buffer).toString("base64") : vector,
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
