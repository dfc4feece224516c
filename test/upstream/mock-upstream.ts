import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../../src/wire/json.ts";
import { capableEmbeddings } from "../capable/openai.ts";
import { MOCK_MODELS, behaviourOf } from "./behaviours.ts";
import { ActionRunner } from "./runner.ts";
import type { Kind } from "./chunks.ts";
import type { Asked } from "./script.ts";

/** What the mock saw of one completion request, and how it ended. */
export interface RecordedRequest {
  readonly id: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly bodyText: string;
  readonly model: string;
  readonly startedAtMs: number;
  /** The mock came to the end of its answer, which may be a broken connection where the model's name says so. */
  readonly ended: boolean;
  /** The connection was closed from the other side before the mock had ended. */
  readonly closedEarly: boolean;
  readonly closedAtMs: number | null;
  /** Bytes of answer given to the socket so far. */
  readonly sentBytes: number;
}

/** What a test needs of a mock, be it in this process or in another. */
export interface MockHandle {
  /** The URL to give a gateway, ending in `/v1`. */
  readonly baseUrl: string;
  listRequests(): Promise<readonly RecordedRequest[]>;
  /** Lets the requests go on that wait in `hold` and whose body contains the text. */
  release(bodyPart: string): Promise<void>;
  reset(): Promise<void>;
}

/** A mock in this process. */
export interface MockUpstream extends MockHandle {
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Ends every connection and the server. */
  close(): Promise<void>;
}

/** A record while the mock still writes to it. */
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface State {
  readonly records: Mutable<RecordedRequest>[];
  readonly holds: Map<number, () => void>;
  /** Released before they came to their hold: the client may be quicker than the mock. */
  readonly released: Set<number>;
  nextId: number;
}

/** Starts a fake OpenAI-compatible server on the loopback interface, on a free port unless one is given. */
export async function startMock(options: { readonly port?: number } = {}): Promise<MockUpstream> {
  const state: State = { records: [], holds: new Map(), released: new Set(), nextId: 1 };
  const server = createServer((request, response) => {
    handle(state, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests: state.records,
    listRequests: () => Promise.resolve(state.records.map((record) => ({ ...record }))),
    release: (bodyPart) => Promise.resolve(release(state, bodyPart)),
    reset: () => Promise.resolve(reset(state)),
    close: () => close(server),
  };
}

/** The handle of a mock that runs in another process. */
export function connectMock(port: number): MockHandle {
  const origin = `http://127.0.0.1:${port}`;
  const call = async (path: string, init?: RequestInit): Promise<unknown> => {
    const response = await fetch(origin + path, init);
    if (!response.ok) throw new Error(`The mock on port ${port} answered ${response.status} to ${path}`);
    return response.json();
  };
  return {
    baseUrl: `${origin}/v1`,
    listRequests: async () => (await call("/mock/requests")) as RecordedRequest[],
    release: async (bodyPart) => void (await call("/mock/release", { method: "POST", body: bodyPart })),
    reset: async () => void (await call("/mock/reset", { method: "POST" })),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function release(state: State, bodyPart: string): void {
  for (const record of state.records) {
    if (!record.bodyText.includes(bodyPart)) continue;
    state.released.add(record.id);
    state.holds.get(record.id)?.();
  }
}

function reset(state: State): void {
  release(state, "");
  state.released.clear();
  state.records.length = 0;
}

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bodyText = await readBody(request);
  const route = `${request.method} ${request.url?.split("?")[0]}`;
  switch (route) {
    case "GET /v1/models":
      return sendJson(response, 200, {
        object: "list",
        data: MOCK_MODELS.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "mock" })),
      });
    case "POST /v1/chat/completions":
      return complete(state, "chat", { request, response, bodyText });
    case "POST /v1/completions":
      return complete(state, "text", { request, response, bodyText });
    case "POST /v1/embeddings":
      return embed(state, { request, response, bodyText });
    case "GET /mock/requests":
      return sendJson(response, 200, state.records);
    case "POST /mock/release":
      release(state, bodyText);
      return sendJson(response, 200, {});
    case "POST /mock/reset":
      reset(state);
      return sendJson(response, 200, {});
    default:
      return sendJson(response, 404, invalid(`mock: nothing at ${route}`, null));
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bodyText: string;
}

async function complete(state: State, kind: Kind, exchange: Exchange): Promise<void> {
  const { request, response, bodyText } = exchange;
  const record = newRecord(state, exchange);
  response.once("close", () => {
    record.closedAtMs = Date.now();
    record.closedEarly = !record.ended;
  });
  const asked = readAsked(kind, bodyText, `mock-${record.id}`);
  if ("message" in asked) {
    record.ended = true;
    return sendJson(response, asked.status, invalid(asked.message, asked.param));
  }
  record.model = asked.model;
  const answer = asked.behaviour.answer(asked);
  await new ActionRunner({
    answer,
    response,
    headers: mockHeaders(record.id),
    hold: (go) => (state.released.has(record.id) ? go() : state.holds.set(record.id, go)),
    sent: (bytes) => (record.sentBytes += bytes),
    ending: () => (record.ended = true),
  }).run();
  state.holds.delete(record.id);
  request.resume();
}

/** Each text's vector is its length and one; a text `fail` fails as an engine does. */
function embed(state: State, exchange: Exchange): void {
  const record = newRecord(state, exchange);
  record.ended = true;
  const body = JSON.parse(exchange.bodyText) as JsonObject & { readonly input: string | readonly string[] };
  const { input } = body;
  if (body["model"] === "capable") {
    const answer = capableEmbeddings(body);
    if (answer === null) return sendJson(exchange.response, 400, invalid("mock: nothing to embed", "input"));
    return sendJson(exchange.response, 200, answer);
  }
  const texts = typeof input === "string" ? [input] : input;
  if (texts.includes("fail")) return sendJson(exchange.response, 500, { error: { message: "mock: failed" } });
  const data = texts.map((text, index) => ({ object: "embedding", index, embedding: [text.length, 1] }));
  const tokens = texts.length * 3;
  sendJson(exchange.response, 200, {
    object: "list",
    model: "mock",
    data,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

function newRecord(state: State, exchange: Exchange): Mutable<RecordedRequest> {
  const record: Mutable<RecordedRequest> = {
    id: state.nextId++,
    path: exchange.request.url ?? "",
    headers: exchange.request.headers,
    bodyText: exchange.bodyText,
    model: "",
    startedAtMs: Date.now(),
    ended: false,
    closedEarly: false,
    closedAtMs: null,
    sentBytes: 0,
  };
  state.records.push(record);
  return record;
}

/** Headers on every answer: an id of the mock's own, and hop-by-hop ones that no gateway may hand on. */
function mockHeaders(id: number): Record<string, string> {
  return {
    "x-request-id": `mock-upstream-${id}`,
    "openai-processing-ms": "12",
    connection: "keep-alive, x-mock-hop",
    "keep-alive": "timeout=77",
    "x-mock-hop": "only for the next hop",
    "proxy-authenticate": "Basic realm=mock",
  };
}

interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly param: string | null;
}

type Chosen = Asked & { readonly behaviour: NonNullable<ReturnType<typeof behaviourOf>>["behaviour"] };

/** Validates as OpenAI does, so that a gateway which leaves validation to the upstream is right too. */
function readAsked(kind: Kind, bodyText: string, id: string): Chosen | Refusal {
  const body = parseObject(bodyText);
  if (!body) return { status: 400, message: "mock: the body is not a JSON object", param: null };
  const { model, stream, stream_options: streamOptions } = body;
  if (typeof model !== "string") return { status: 400, message: "mock: model must be a string", param: "model" };
  if (kind === "chat" && !Array.isArray(body["messages"])) {
    return { status: 400, message: "mock: messages must be an array", param: "messages" };
  }
  if (kind === "text" && body["prompt"] === undefined)
    return { status: 400, message: "mock: prompt is missing", param: "prompt" };
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    return { status: 400, message: "mock: stream must be a boolean", param: "stream" };
  }
  const found = behaviourOf(model);
  if (!found) return { status: 404, message: `mock: no model ${model}`, param: "model" };
  const asksUsage = typeof streamOptions === "object" && streamOptions !== null && "include_usage" in streamOptions;
  return {
    kind,
    model,
    id,
    bodyText,
    ...found,
    stream: stream === true,
    includeUsage: asksUsage && streamOptions.include_usage === true,
  };
}

function parseObject(bodyText: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bodyText);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string, param: string | null): object {
  return { error: { message, type: "invalid_request_error", param, code: null } };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
