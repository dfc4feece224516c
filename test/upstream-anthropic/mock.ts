import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Block, message, sse, streamed, type Told } from "./events.ts";

/** What the fake saw of one request. */
export interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** The connection was closed from the other side before the answer had ended. */
  closedEarly: boolean;
}

/** A fake of Anthropic's API in this process. The model's name picks what it does. */
export interface AnthropicMock extends AsyncDisposable {
  /** The URL to give a gateway, ending in `/v1`. */
  readonly baseUrl: string;
  readonly requests: readonly Seen[];
}

/** The tokens that it counts in every prompt. */
export const COUNTED = 321;

/** Text of one to four bytes a character. */
export const TEXT = 'Hello, wörld 🌍 日本語 "quoted"\n end.';

/** The calls of `tools`, with a nested argument and with none. */
export const CALLS: readonly Block[] = [
  { type: "tool_use", id: "toolu_a", name: "weather", input: { city: "Zürich", days: [1, 2] } },
  { type: "tool_use", id: "toolu_b", name: "clock", input: {} },
];

/** What `thinking` thinks before it speaks. */
export const THOUGHT: Block = { type: "thinking", thinking: "Let me see. 🤔", signature: "c2lnbmVk" };

/** A source that `cites` names. */
export const CITATION = {
  type: "web_search_result_location",
  url: "https://example.org/a",
  title: "A page",
  cited_text: "some words",
  encrypted_index: "abc",
} as const;

const END = { stop_reason: "end_turn", stop_sequence: null };
const text = (words: string, more: object = {}): Block => ({ type: "text", text: words, citations: null, ...more });
const told = (...content: readonly Block[]): Told => ({ content, ending: END });
const ended = (stop_reason: string, stop_sequence: string | null = null): Told => ({
  content: [text(TEXT)],
  ending: { stop_reason, stop_sequence },
});

/** Complete answers, by the model's name. */
const ANSWERS: Readonly<Record<string, (bodyText: string) => Told>> = {
  ok: () => told(text(TEXT)),
  echo: (bodyText) => told(text(bodyText)),
  thinking: () => told(THOUGHT, { type: "redacted_thinking", data: "ZW5jcnlwdGVk" }, text(TEXT)),
  tools: () => ({
    content: [THOUGHT, text("I will look."), ...CALLS],
    ending: { stop_reason: "tool_use", stop_sequence: null },
  }),
  cites: () => told(text(TEXT, { citations: [CITATION] })),
  searches: () =>
    told(
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
      text(TEXT),
    ),
  "max-tokens": () => ended("max_tokens"),
  "context-full": () => ended("model_context_window_exceeded"),
  stopped: () => ended("stop_sequence", "END"),
  refuses: () => ended("refusal"),
  pauses: () => ended("pause_turn"),
};

const FAILURES: Readonly<Record<string, readonly [number, string, Readonly<Record<string, string>>]>> = {
  "bad-request": [400, "invalid_request_error", {}],
  unauthorized: [401, "authentication_error", {}],
  "rate-limited": [429, "rate_limit_error", { "retry-after": "7", "anthropic-ratelimit-requests-remaining": "0" }],
  broken: [500, "api_error", {}],
  overloaded: [529, "overloaded_error", {}],
};

/** The words of a failure. */
export const failureWords = (type: string): string => `mock: ${type}`;

/** Starts one on a free port of the loopback interface. */
export async function startAnthropicMock(): Promise<AnthropicMock> {
  const requests: Seen[] = [];
  const server = createServer((request, response) => {
    answer(request, response, requests).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, requests: Seen[]): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const bodyText = Buffer.concat(parts).toString("utf8");
  const path = (request.url ?? "").split("?")[0] ?? "";
  if (path === "/v1/models") {
    const data = Object.keys(ANSWERS).map((id) => ({ type: "model", id, display_name: id }));
    return sendJson(response, 200, { data, has_more: false });
  }
  const body = JSON.parse(bodyText) as Seen["body"];
  const seen: Seen = { path, headers: request.headers, body, closedEarly: false };
  requests.push(seen);
  response.once("close", () => (seen.closedEarly = !response.writableFinished));
  if (request.headers["anthropic-version"] === undefined) return fail(response, "bad-request");
  const model = String(body["model"]);
  if (Object.hasOwn(FAILURES, model)) return fail(response, model);
  if (path === "/v1/messages/count_tokens") return sendJson(response, 200, { input_tokens: COUNTED });
  if (typeof body["max_tokens"] !== "number") return fail(response, "bad-request");
  const make = ANSWERS[model] ?? (() => told(text(TEXT)));
  const id = `msg_mock${requests.length}`;
  if (body["stream"] !== true) return sendJson(response, 200, message(id, model, make(bodyText)));
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  for (const event of streamed(id, model, make(bodyText))) {
    if (event.startsWith("event: content_block_stop") && INTERRUPTED.has(model)) return interrupt(response, model);
    response.write(event);
  }
  response.end();
}

/** What streams break off at the end of their first block. */
const INTERRUPTED: ReadonlySet<string> = new Set(["dies", "fails-in-stream", "endless"]);

function interrupt(response: ServerResponse, model: string): void {
  // What was written before must have left, or the client would see less than was told.
  if (model === "dies") return void response.write(": the end\n\n", () => response.destroy());
  if (model !== "fails-in-stream") return;
  response.end(sse("error", { error: { type: "overloaded_error", message: failureWords("overloaded_error") } }));
}

function fail(response: ServerResponse, name: string): void {
  const [status, type, headers] = FAILURES[name] ?? [500, "api_error", {}];
  for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
  const error = { type, message: failureWords(type) };
  sendJson(response, status, { type: "error", error, request_id: "req_mock" });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { "content-type": "application/json", "request-id": "req_mock" });
  response.end(JSON.stringify(value));
}
