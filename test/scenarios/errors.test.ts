import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type ErrorCode, ERRORS } from "../../src/base/errors.ts";
import { hashKey } from "../../src/gateway/access.ts";
import { ROOT } from "../../scripts/serve-for.ts";
import { Exchange } from "../gateway-suite/client.ts";
import { type ApiError, assertError, readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, post } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { FullPort } from "./lib/full-port.ts";

const PATIENCE_MS = 20_000;
const mock = await startMock();
const fullPort = await FullPort.open();
const url = mock.baseUrl;

/** One server with a backend for each way of failing; each model is one backend's alone, so that nothing falls back. */
const server = await Baseload.start({
  config: `
version: 1
server: { maxBodyBytes: 50000, maxAnswerBytes: 100000, uploadTimeoutMs: 1000, maxQueued: 1, queueTimeoutMs: 1500 }
storage: { maxFileBytes: 1000, maxFilesBytes: 800 }
backends:
  dead: { url: "http://127.0.0.1:1/v1", models: [dead] }
  plain: { url: "${url}", models: [ok, hold-after-first, dies-before-content, lies-html, flood-1, error-401, error-first-in-stream] }
  headers: { url: "${url}", models: { headers: silent }, watch: { headersMs: 300 } }
  first: { url: "${url}", models: { first: silent-after-headers }, watch: { firstMs: 300 } }
  idle: { url: "${url}", models: { idle: stalls-mid-stream }, watch: { idleMs: 300 } }
  total: { url: "${url}", models: { total: slow-first-30000 }, watch: { totalMs: 300 } }
  full: { url: "${url}", models: { full: hold-after-first }, maxConcurrent: 1 }
  deaf: { url: "http://127.0.0.1:${fullPort.port}/v1", models: [deaf], watch: { connectMs: 300 } }
  small: { url: "${url}", models: [small], contextTokens: 10 }
  text: { url: "${url}", models: { text: ok }, endpoints: [completions] }
  granted: { url: "${url}", models: { granted: ok }, quota: { requestsPerDay: 1 } }
  short: { url: "${url}", models: { ok-short: ok } }
  pool: { discover: { file: no-such-file.json }, models: [pooled] }
models: { ok-short: { maxOutputTokens: 100, capabilities: { tools: false } } }
`,
});
const keyed = await Baseload.start({
  config: `
version: 1
backends: { mock: { url: "${url}", models: [ok] } }
tenants: { one: { keys: [{ name: main, sha256: ${hashKey("sk-right")} }] } }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
  await mock.close();
  await fullPort[Symbol.asyncDispose]();
});

/** An error as a client sees it; status null where it is an event in a stream that had begun. */
interface Seen extends ApiError {
  readonly status: number | null;
}

/** How a code is provoked, or which test does it, where it cannot be done here. */
type Provoked = (() => Promise<Seen>) | { readonly elsewhere: string; readonly because: string };

async function seen(exchange: Exchange): Promise<Seen> {
  const { status, body } = await readJson(exchange);
  return { status, ...assertError(body) };
}

const asked = (model: string, fields: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<Seen> =>
  seen(chat(server, model, { fields: { ...fields }, headers }));

const streamed = (model: string): Promise<Seen> => asked(model, { stream: true });

function fetched(path: string, init: { method?: string; headers?: Record<string, string> } = {}): Promise<Seen> {
  const { method = "GET", headers = {} } = init;
  return seen(new Exchange({ url: server.origin + path, method, headers, patienceMs: PATIENCE_MS }));
}

/** Writes bytes as they are and reads the answer until the server closes. */
async function raw(bytes: string): Promise<Seen> {
  const text = await new Promise<string>((resolve, reject) => {
    let all = "";
    const socket = connect(server.port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (part: string) => (all += part));
    socket.once("error", reject).once("close", () => resolve(all));
  });
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
  return { status, ...assertError(JSON.parse(body)) };
}

async function inStream(model: string): Promise<Seen> {
  const { errors } = await readStream(chat(server, model, { fields: { stream: true } }));
  assert.equal(errors.length, 1);
  return { status: null, ...assertError(errors[0]) };
}

/** One request is held at the backend that takes one, one waits, and the next finds no room. */
async function crowded(): Promise<{ readonly full: Seen; readonly timedOut: Seen }> {
  const held = chat(server, "full", { fields: { stream: true }, text: "crowd" });
  await readToContent(held);
  const [one, other] = [asked("full"), asked("full")];
  const full = await Promise.race([one, other]);
  const timedOut = (await Promise.all([one, other])).find((each) => each !== full) ?? assert.fail();
  await mock.release("crowd");
  held.destroy();
  return { full, timedOut };
}

const crowd = crowded();
crowd.catch(() => {});

/** While a server stops, requests on connections that stood before are refused in words. */
async function stopping(): Promise<Seen> {
  await using other = await Baseload.start({
    config: `{ version: 1, backends: { mock: { url: "${url}", models: "*" } } }`,
  });
  using agent = Object.assign(new Agent({ keepAlive: true }), { [Symbol.dispose]: () => agent.destroy() });
  const kept = (path: string): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = get(other.origin + path, { agent, method: path.startsWith("/v1") ? "POST" : "GET" }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.once("error", reject);
    });
  await kept("/healthz");
  const open = chat(other, "hold-after-first", { fields: { stream: true }, text: "stopping" });
  await readToContent(open);
  other.child.signal("SIGINT");
  await other.printed(/Stopping/);
  const { status, text } = await kept("/v1/chat/completions");
  await mock.release("stopping");
  await readStream(open);
  return { status, ...assertError(JSON.parse(text)) };
}

/** A file of so many bytes is stored. */
async function uploaded(bytes: number): Promise<Seen> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new File(["x".repeat(bytes)], "x.jsonl"));
  const response = await fetch(`${server.origin}/v1/files`, { method: "POST", body: form });
  return { status: response.status, ...assertError(await response.json()) };
}

/** A server with this `server` section alone. */
const limited = (section: string): Promise<Baseload> =>
  Baseload.start({ config: `{ version: 1, server: ${section}, backends: { mock: { url: "${url}", models: "*" } } }` });

/** The one connection that is allowed is taken. */
async function oneConnectionTooMany(): Promise<Seen> {
  await using other = await limited("{ maxConnections: 1 }");
  const first = connect(other.port, "127.0.0.1");
  await once(first, "connect");
  const answer = await seen(chat(other, "ok"));
  first.destroy();
  return answer;
}

/** The one request that is allowed is being answered. */
async function oneRequestTooMany(): Promise<Seen> {
  await using other = await limited("{ maxOpenRequests: 1 }");
  const first = chat(other, "hold-after-first", { fields: { stream: true }, text: "the only one" });
  await readToContent(first);
  const answer = await seen(chat(other, "ok"));
  await mock.release("the only one");
  await readStream(first);
  return answer;
}

/** What the second of two equal calls of a run is answered. */
async function secondOfRun(headers: Readonly<Record<string, string>>): Promise<Seen> {
  await chat(server, "ok", { headers }).text();
  return asked("ok", {}, headers);
}

const PROVOKED: Readonly<Record<ErrorCode, Provoked>> = {
  invalid_json: () => seen(post(server, "/chat/completions", { body: "{" })),
  json_too_deep: () => seen(post(server, "/chat/completions", { body: "[".repeat(1000) })),
  invalid_request: () => asked("ok", { messages: "hi" }),
  unsupported_encoding: () => asked("ok", {}, { "content-encoding": "compress" }),
  invalid_encoding: () => asked("ok", {}, { "content-encoding": "gzip" }),
  request_too_large: () => asked("ok", { metadata: { long: "x".repeat(60_000) } }),
  request_timeout: () => raw("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"),
  headers_too_large: () => raw(`GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: ${"x".repeat(20_000)}\r\n\r\n`),
  url_too_long: () => fetched(`/healthz?${"x".repeat(9000)}`),
  bad_http: () => raw("this is not HTTP\r\n\r\n"),
  missing_key: () => seen(chat(keyed, "ok")),
  wrong_key: () => seen(chat(keyed, "ok", { headers: { authorization: "Bearer sk-wrong" } })),
  origin_refused: () => asked("ok", {}, { origin: "https://example.com" }),
  not_admin: () => {
    const headers = { authorization: "Bearer sk-right" };
    return seen(new Exchange({ url: `${keyed.origin}/api/backends`, method: "GET", headers, patienceMs: PATIENCE_MS }));
  },
  route_not_found: () => fetched("/v2/chat"),
  method_not_allowed: () => fetched("/v1/chat/completions"),
  model_not_found: () => asked("no-such-model"),
  endpoint_not_served: () => asked("text"),
  context_length_exceeded: () => asked("small", { messages: [{ role: "user", content: "x".repeat(5000) }] }),
  output_limit_exceeded: () => asked("ok-short", { max_tokens: 1000 }),
  content_unsupported: () => asked("ok-short", { tools: [{ type: "function", function: { name: "f" } }] }),
  unknown_class: () => asked("ok", {}, { "x-baseload-class": "no-such-class" }),
  backend_not_found: () => fetched("/api/backends/no-such/cordon", { method: "POST" }),
  file_not_found: () => fetched("/v1/files/file-none"),
  file_too_large: () => uploaded(2000),
  file_storage_full: () => uploaded(900),
  response_not_found: () => fetched("/v1/responses/resp_none"),
  batch_not_found: () => fetched("/v1/batches/batch_none"),
  receipt_not_found: () => fetched("/api/receipts/018f0000-0000-7000-8000-000000000000"),
  run_not_found: () => fetched("/api/runs/no-such-run"),
  run_limit_exceeded: () => secondOfRun({ "x-baseload-run": "one-step", "x-baseload-run-max-steps": "1" }),
  run_limit_unknown: () => asked("ok", {}, { "x-baseload-run": "unpriced", "x-baseload-run-max-usd": "1" }),
  run_loop_detected: () => secondOfRun({ "x-baseload-run": "loop", "x-baseload-run-max-same-calls": "1" }),
  idempotency_conflict: async () => {
    await asked("ok", {}, { "idempotency-key": "conflict" }).catch(() => {});
    return asked("ok", { max_tokens: 3 }, { "idempotency-key": "conflict" });
  },
  idempotency_in_progress: async () => {
    const headers = { "idempotency-key": "held" };
    const how = { fields: { stream: true }, text: "held by its key", headers };
    const first = chat(server, "hold-after-first", how);
    await readToContent(first);
    const answer = await seen(chat(server, "hold-after-first", how));
    await mock.release("held by its key");
    await readStream(first);
    return answer;
  },
  too_many_connections: oneConnectionTooMany,
  too_many_requests: oneRequestTooMany,
  quota_exceeded: async () => {
    await readJson(chat(server, "granted"));
    return asked("granted");
  },
  no_members: () => asked("pooled"),
  queue_full: async () => (await crowd).full,
  queue_timeout: async () => (await crowd).timedOut,
  storage_unavailable: { elsewhere: "test/scenarios/durability.test.ts", because: "it takes a full disk" },
  shutting_down: stopping,
  upstream_unreachable: () => asked("dead"),
  upstream_connect_timeout: FullPort.isPossible
    ? () => asked("deaf")
    : { elsewhere: "test/scenarios/errors.test.ts", because: "other systems accept connections beyond the queue" },
  upstream_headers_timeout: () => streamed("headers"),
  upstream_first_timeout: () => streamed("first"),
  upstream_idle_timeout: () => inStream("idle"),
  upstream_total_timeout: () => asked("total"),
  upstream_broken: () => streamed("dies-before-content"),
  upstream_bad_response: () => asked("lies-html"),
  upstream_too_large: () => asked("flood-1"),
  upstream_unauthorized: () => asked("error-401"),
  upstream_error: () => streamed("error-first-in-stream"),
  client_gone: { elsewhere: "test/scenarios/openai-sdk.test.ts", because: "nobody is left who could be answered" },
  client_too_slow: { elsewhere: "test/scenarios/slow-clients.test.ts", because: "its client does not read" },
  not_expressible: {
    elsewhere: "src/live/utility.test.ts",
    because: "only an engine whose API lacks a word raises it",
  },
  internal: { elsewhere: "src/gateway/server.test.ts", because: "only a mistake of ours raises it" },
};

/** Codes that only ever come after content, and so have no status. */
const IN_STREAM: ReadonlySet<string> = new Set(["upstream_idle_timeout"]);

describe("every code of the error table", { concurrency: true }, () => {
  for (const [code, row] of Object.entries(ERRORS)) {
    it(code, async (test) => {
      const provoked = PROVOKED[code as ErrorCode];
      if (typeof provoked !== "function") {
        assert.ok(existsSync(join(ROOT, provoked.elsewhere)), provoked.elsewhere);
        test.diagnostic(`in ${provoked.elsewhere}, since ${provoked.because}`);
        return;
      }
      const { status, type, code: given, message } = await provoked();
      assert.deepEqual([status, type, given], [IN_STREAM.has(code) ? null : row.status, row.type, code], message);
      assert.ok(message.startsWith(row.message) && message.endsWith(row.remedy), message);
    });
  }
});
