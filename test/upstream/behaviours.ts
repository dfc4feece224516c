import { DESTROY, FOREVER, HEAD, HOLD, event, text, wait } from "./actions.ts";
import type { Action } from "./actions.ts";
import { CACHED_USAGE, PIECES, ZERO_USAGE } from "./chunks.ts";
import type { Piece } from "./chunks.ts";
import { JSON_HEAD, STREAM_HEAD, told } from "./script.ts";
import type { Asked, Behaviour, Script } from "./script.ts";

/** The error that the mock gives inside streams and inside answers that lie about their status. */
export const STREAM_ERROR = {
  error: { message: "mock: the engine failed", type: "server_error", param: null, code: "mock_engine_failed" },
};

/** The tool calls that `tools` makes, their arguments split as models split them. */
export const TOOL_CALLS = [
  { id: "call_mock_a", type: "function", function: { name: "weather", arguments: '{"city":"Zürich"}' } },
  { id: "call_mock_b", type: "function", function: { name: "clock", arguments: '{"zone":"UTC"}' } },
] as const;

interface Fixed {
  readonly status: number;
  readonly body: string | object;
  readonly headers?: (asked: Asked) => Readonly<Record<string, string>>;
}

function fixed(says: string, reply: Fixed): Behaviour {
  const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
  return {
    says,
    answer: (asked) => ({
      status: reply.status,
      headers: { ...JSON_HEAD, ...reply.headers?.(asked) },
      actions: [text(body)],
    }),
  };
}

function withActions(says: string, actions: Iterable<Action>): Behaviour {
  return { says, answer: (asked) => ({ status: 200, headers: asked.stream ? STREAM_HEAD : JSON_HEAD, actions }) };
}

/** After some content: the given actions in a stream, an HTTP 500 without one. */
function failsInStream(says: string, actions: readonly Action[], script: Script = {}): Behaviour {
  const streaming = told(says, { ...script, cut: { after: 3, ...script.cut, actions } });
  const otherwise = fixed(says, { status: 500, body: STREAM_ERROR });
  return { says, answer: (asked) => (asked.stream ? streaming : otherwise).answer(asked) };
}

function openAiError(type: string, code: string, message: string): object {
  return { error: { message, type, param: null, code } };
}

/** The `x-ratelimit-*` headers that rate-limited answers carry. */
export const RATE_LIMIT_HEADERS: Readonly<Record<string, string>> = {
  "x-ratelimit-limit-requests": "60",
  "x-ratelimit-remaining-requests": "0",
  "x-ratelimit-reset-requests": "7s",
  "x-ratelimit-limit-tokens": "150000",
  "x-ratelimit-remaining-tokens": "149984",
};

const RATE_LIMITED = openAiError("requests", "rate_limit_exceeded", "mock: rate limit reached for requests");
const NOT_JSON = "this is not JSON";
const HTML = "<!doctype html><title>502</title><h1>Bad gateway</h1>";
const ALL_COMMENTS = ": OPENROUTER PROCESSING\n\n";

function* endlessPieces(): Generator<string> {
  for (let index = 0; ; index += 1) yield `${index} `;
}

function* commentsForever(): Generator<Action> {
  yield HEAD;
  while (true) {
    yield text(ALL_COMMENTS);
    yield wait(50);
  }
}

function* numbered(count: number): Generator<string> {
  for (let index = 0; index < count; index += 1) yield `t${index} `;
}

/** Sixteen KiB, so that a few thousand chunks make a body that no chain of socket buffers can hold. */
const FLOOD_PIECE = "0123456789abcdef".repeat(1024);

function* flood(megabytes: number): Generator<string> {
  for (let index = 0; index < megabytes * 64; index += 1) yield FLOOD_PIECE;
}

function toolScript(): Script {
  const [first, second] = TOOL_CALLS;
  const call = (index: number, fields: object): Piece => ({ tool_calls: [{ index, ...fields }] });
  const part = (index: number, args: string): Piece => call(index, { function: { arguments: args } });
  const opening = (index: number, from: (typeof TOOL_CALLS)[number]): Piece =>
    call(index, { ...from, function: { ...from.function, arguments: "" } });
  return {
    pieces: [
      opening(0, first),
      part(0, first.function.arguments.slice(0, 9)),
      part(0, first.function.arguments.slice(9)),
      opening(1, second),
      part(1, second.function.arguments),
    ],
    finish: "tool_calls",
    message: { role: "assistant", content: null, tool_calls: TOOL_CALLS },
  };
}

const COMPLETE: Readonly<Record<string, Behaviour>> = {
  ok: told("answers as OpenAI does", {}),
  "ok-no-usage": told("never reports usage", { reports: "never" }),
  "ok-zero-usage": told("reports explicit zeros", { usage: ZERO_USAGE }),
  "ok-usage-in-last-chunk": told("puts usage on the finish chunk, asked or not", { reports: "last-chunk" }),
  cached: told("usage with cached and reasoning tokens", { usage: CACHED_USAGE }),
  comments: told("SSE comment lines before and between chunks", {
    before: [text(ALL_COMMENTS), text(ALL_COMMENTS)],
    afterPiece: () => [text(ALL_COMMENTS)],
  }),
  "split-bytes": told("every byte in a write of its own", { splitBytes: true }),
  crlf: told("CRLF line ends", { lineEnd: "\r\n" }),
  tools: told("two tool calls in deltas", toolScript),
  agent: told("two tool calls in deltas, and text once the results of tools are there", (asked) =>
    asked.bodyText.includes('"role":"tool"') ? {} : toolScript(),
  ),
  "echo-body": told("the exact body received, as content", (asked) => ({
    pieces: asked.bodyText.match(/.{1,7}/gsu) ?? [],
  })),
  "no-done": told("finish_reason and a clean end, but no [DONE]", { done: false }),
  "hold-after-first": told("waits for a release after the first content (whole answers: before it)", {
    afterPiece: (index) => (index === 0 ? [HOLD] : []),
    wholeBefore: [HOLD],
  }),
  endless: told("chunks until the client leaves (whole answers: never)", () => ({
    pieces: endlessPieces(),
    afterPiece: () => [wait(10)],
    wholeBefore: [FOREVER],
  })),
};

const FAILING: Readonly<Record<string, Behaviour>> = {
  "rate-limited": fixed("429, retry-after in seconds, x-ratelimit-*", {
    status: 429,
    body: RATE_LIMITED,
    headers: () => ({ ...RATE_LIMIT_HEADERS, "retry-after": "7" }),
  }),
  "rate-limited-date": fixed("429, retry-after as an HTTP date", {
    status: 429,
    body: RATE_LIMITED,
    headers: () => ({ ...RATE_LIMIT_HEADERS, "retry-after": new Date(Date.now() + 7000).toUTCString() }),
  }),
  "error-500": fixed("500 in OpenAI's shape", {
    status: 500,
    body: openAiError("server_error", "mock_500", "mock: internal error"),
  }),
  "error-500-html": fixed("500 as a web page", {
    status: 500,
    body: HTML,
    headers: () => ({ "content-type": "text/html" }),
  }),
  "error-400": fixed("400 in OpenAI's shape, with a param", {
    status: 400,
    body: {
      error: {
        message: "mock: temperature is too high",
        type: "invalid_request_error",
        param: "temperature",
        code: "mock_400",
      },
    },
  }),
  "error-401": fixed("401, the caller's key is wrong", {
    status: 401,
    body: openAiError("invalid_request_error", "invalid_api_key", "mock: incorrect API key provided"),
  }),
  "dies-before-headers": withActions("connection destroyed before the headers", [DESTROY]),
  "dies-before-content": told("connection destroyed after the role chunk", { cut: { after: 0, actions: [DESTROY] } }),
  "dies-mid-stream": told("connection destroyed after three content chunks", { cut: { after: 3, actions: [DESTROY] } }),
  "ends-early": told("clean HTTP end after three content chunks", { cut: { after: 3, actions: [] } }),
  "ends-empty": told("clean HTTP end before any event", { role: false, cut: { after: 0, actions: [] } }),
  "error-in-stream": failsInStream("an error event after three content chunks", [event(JSON.stringify(STREAM_ERROR))]),
  "error-in-stream-done": failsInStream("the same, then [DONE], as vLLM does", [
    event(JSON.stringify(STREAM_ERROR)),
    event("[DONE]"),
  ]),
  "error-first-in-stream": failsInStream("an error event before anything else", [event(JSON.stringify(STREAM_ERROR))], {
    role: false,
    cut: { after: 0, actions: [] },
  }),
  "stalls-mid-stream": told("falls silent after three content chunks", { cut: { after: 3, actions: [FOREVER] } }),
  silent: withActions("takes the request and never answers", [FOREVER]),
  "silent-after-headers": withActions("sends headers and then nothing", [HEAD, FOREVER]),
  "silent-comments": {
    says: "sends SSE comments for ever and no chunk (whole answers: nothing)",
    answer: (asked) =>
      asked.stream
        ? { status: 200, headers: STREAM_HEAD, actions: commentsForever() }
        : { status: 200, headers: JSON_HEAD, actions: [FOREVER] },
  },
  "lies-html": fixed("200 with a web page", {
    status: 200,
    body: HTML,
    headers: () => ({ "content-type": "text/html" }),
  }),
  "lies-json-error": fixed('200 with {"error": …}', { status: 200, body: STREAM_ERROR }),
  "lies-not-json": {
    says: "200 with text that is not JSON, under the right content-type",
    answer: (asked) => ({
      status: 200,
      headers: asked.stream ? STREAM_HEAD : JSON_HEAD,
      actions: [asked.stream ? event(NOT_JSON) : text(NOT_JSON)],
    }),
  },
};

/** Behaviours whose names end in a number; the table's key is what stands before it. */
const NUMBERED: Readonly<Record<string, Behaviour>> = {
  "slow-first-": told("first token after MS milliseconds", ({ number }) => ({
    before: [wait(number)],
    wholeBefore: [wait(number)],
  })),
  "slow-chunks-": told("MS milliseconds after each chunk", ({ number }) => ({
    afterPiece: () => [wait(number)],
    wholeBefore: [wait(number * PIECES.length)],
  })),
  "limited-": fixed("429, retry-after: N", {
    status: 429,
    body: RATE_LIMITED,
    headers: ({ number }) => ({ "retry-after": String(number) }),
  }),
  "limited-date-": fixed("429, retry-after as the HTTP date of N seconds ahead", {
    status: 429,
    body: RATE_LIMITED,
    headers: ({ number }) => ({ "retry-after": new Date(Date.now() + number * 1000).toUTCString() }),
  }),
  "long-": told("N content chunks", ({ number }) => ({ pieces: numbered(number) })),
  "flood-": told("N MiB of content in chunks of 16 KiB", ({ number }) => ({ pieces: flood(number) })),
};

/** Every model name that the suite asks for: all that the mock knows, and of the numbered ones those that are used. */
export const MOCK_MODELS: readonly string[] = [
  ...Object.keys(COMPLETE),
  ...Object.keys(FAILING),
  "slow-first-300",
  "slow-first-30000",
  "slow-chunks-20",
  "long-500",
  "flood-64",
];

/** The behaviour that a model's name asks for, and the number in it. A prefix up to the last slash is ignored. */
export function behaviourOf(model: string): { behaviour: Behaviour; number: number } | undefined {
  const name = model.slice(model.lastIndexOf("/") + 1);
  const plain = own(COMPLETE, name) ?? own(FAILING, name);
  if (plain) return { behaviour: plain, number: 0 };
  const match = /^([a-z-]+-)(\d{1,7})$/.exec(name);
  const found = match?.[1] === undefined ? undefined : own(NUMBERED, match[1]);
  return found && { behaviour: found, number: Number(match?.[2]) };
}

function own(table: Readonly<Record<string, Behaviour>>, name: string): Behaviour | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Name and meaning of every behaviour, for help texts. */
export function describeBehaviours(): readonly (readonly [string, string])[] {
  const named = Object.entries({ ...COMPLETE, ...FAILING }).map(([name, each]) => [name, each.says] as const);
  return [...named, ...Object.entries(NUMBERED).map(([name, each]) => [`${name}N`, each.says] as const)];
}
