import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { FakeDesk } from "../../test/fakes/desk.ts";
import { GATEWAY_OPTIONS } from "../../test/fakes/gateway.ts";
import { ERRORS, type ErrorCode } from "../base/errors.ts";
import { hashKey } from "./access.ts";
import { Gateway, type GatewayOptions } from "./server.ts";

const ASK = { model: "m", max_tokens: 5, messages: [{ role: "user", content: "Hi" }] };
const KEYS = new Map([[hashKey("key-acme"), { tenant: "acme", key: "laptop" }]]);

interface ErrorBody {
  readonly type: string;
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string | null;
}

const gateways: Gateway[] = [];
after(async () => {
  for (const gateway of gateways) {
    gateway.stopListening();
    await gateway.finish(0);
  }
});

async function begin(change: Partial<GatewayOptions> = {}) {
  const desk = new FakeDesk();
  const gateway = new Gateway(desk, { ...GATEWAY_OPTIONS, ...change });
  gateways.push(gateway);
  const port = await gateway.listen("127.0.0.1", 0);
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const post = (body: object = {}, headers: Record<string, string> = {}, path = "/v1/messages"): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: JSON.stringify({ ...ASK, ...body }), headers });
  return { desk, get, post };
}

async function errorOf(response: Response): Promise<ErrorBody["error"]> {
  const { type, error } = (await response.json()) as ErrorBody;
  assert.equal(type, "error");
  return error;
}

describe("Anthropic's messages at the door", () => {
  test("become jobs that know what is asked, and their headers go along", async () => {
    const { desk, post } = await begin();
    const system = [{ type: "text", text: "12" }];
    const content = [
      { type: "text", text: "345" },
      { type: "tool_result", tool_use_id: "1", content: [{ type: "text", text: "6789" }] },
      { type: "image", source: { type: "url", url: "https://example.org" } },
    ];
    const body = { system, messages: [{ role: "user", content }], stream: true, metadata: { user_id: "u" } };
    const version = { "anthropic-version": "2026-10-21", "anthropic-beta": "a,b" };
    const response = await post(body, { ...version, "x-request-id": "mine" });
    assert.deepEqual([response.headers.get("request-id"), response.headers.get("x-request-id")], ["mine", "mine"]);
    const [exchange] = desk.exchanges;
    const job = exchange?.job;
    assert.deepEqual(
      [job?.endpoint, job?.stream, job?.wantsUsage, job?.maxOutputTokens, job?.principal.user, job?.promptTextLength],
      ["messages", true, true, 5, "u", 9],
    );
    assert.equal(exchange?.promptText(), "12\n345\n6789");
    assert.deepEqual(exchange?.headers, version);
  });

  test("are refused by the member that is wrong", async () => {
    const { desk, post } = await begin();
    const rows: readonly (readonly [object, RegExp])[] = [
      [{ max_tokens: undefined }, /`max_tokens` is missing/],
      [{ max_tokens: -1 }, /max_tokens/],
      [{ messages: [] }, /messages/],
      [{ messages: [{ role: "tool", content: "x" }] }, /messages\.0\.role/],
      [{ messages: [{ role: "user", content: [{ text: "x" }] }] }, /messages\.0\.content/],
      [{ system: 3 }, /system/],
      [{ tool_choice: "auto" }, /tool_choice/],
    ];
    for (const [change, words] of rows) {
      const response = await post(change);
      assert.equal(response.status, 400);
      const { type, message } = await errorOf(response);
      assert.equal(type, "invalid_request_error");
      assert.match(message, words);
    }
    assert.equal(desk.exchanges.length, 0);
  });

  test("are let in by x-api-key, and refused in Anthropic's words before and at the door", async () => {
    const { desk, post, get } = await begin({ keys: KEYS, maxBodyBytes: 200, maxOpenRequests: 1 });
    const keyed = { "x-api-key": "key-acme" };
    assert.equal((await post({}, keyed)).status, 200);
    assert.equal(desk.exchanges[0]?.job.principal.tenant, "acme");
    const rows: readonly (readonly [Response, number, string])[] = [
      [await post(), 401, "authentication_error"],
      [await post({}, { "x-api-key": "wrong" }), 401, "authentication_error"],
      [await post({ system: "x".repeat(300) }, keyed), 413, "request_too_large"],
      [await post({}, keyed, "/v1/messages/batches"), 404, "not_found_error"],
      [await get("/v1/messages", keyed), 405, "invalid_request_error"],
      [await get("/v1/models/none", { ...keyed, "anthropic-version": "2023-06-01" }), 404, "not_found_error"],
    ];
    for (const [response, status, type] of rows) {
      assert.deepEqual([response.status, (await errorOf(response)).type], [status, type]);
    }
    // One that is still answered fills the house.
    desk.onArrive = () => {};
    const waiting = new AbortController();
    const held = fetch((await get("/healthz")).url.replace("/healthz", "/v1/messages"), {
      method: "POST",
      body: JSON.stringify(ASK),
      headers: keyed,
      signal: waiting.signal,
    }).catch(() => null);
    while (desk.exchanges.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const full = await post({}, keyed);
    assert.deepEqual([full.status, (await errorOf(full)).type], [429, "rate_limit_error"]);
    assert.equal(full.headers.get("retry-after"), "1");
    waiting.abort();
    await held;
  });

  test("are told of every failure in Anthropic's words, before the answer and inside it", async () => {
    const { desk, post } = await begin();
    const types = new Set<string>();
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      desk.onArrive = (exchange) => exchange.fail({ code, detail: null, retryAfterMs: 1500, relay: null });
      const response = await post();
      assert.equal(response.status, ERRORS[code].status);
      assert.equal(response.headers.get("retry-after"), "2");
      const body = (await response.json()) as ErrorBody;
      assert.equal(body.request_id, response.headers.get("request-id"));
      assert.ok(body.error.message.startsWith(ERRORS[code].message));
      types.add(`${response.status} ${body.error.type}`);
    }
    for (const each of ["503 overloaded_error", "504 timeout_error", "502 api_error", "429 rate_limit_error"]) {
      assert.ok(types.has(each), `${each} is not among ${[...types].join(", ")}`);
    }
    desk.onArrive = (exchange) => {
      exchange.commit();
      exchange.fail({ code: "upstream_idle_timeout", detail: null, retryAfterMs: null, relay: null });
    };
    const [name = "", data = ""] = (await (await post({ stream: true })).text()).split("\n");
    assert.equal(name, "event: error");
    const inside = JSON.parse(data.slice("data: ".length)) as ErrorBody;
    assert.deepEqual([inside.type, inside.error.type], ["error", "timeout_error"]);
  });

  test("are told an upstream's own words, put into Anthropic's shape where they are in another", async () => {
    const { desk, post } = await begin();
    const relayed = async (status: number, value: unknown): Promise<unknown> => {
      const relay = { status, headers: {}, body: Buffer.from(JSON.stringify(value)) };
      desk.onArrive = (exchange) => exchange.fail({ code: "upstream_error", detail: null, retryAfterMs: null, relay });
      return (await post()).json();
    };
    const own = { type: "error", error: { type: "billing_error", message: "pay", details: 1 }, request_id: "r" };
    assert.deepEqual(await relayed(402, own), own);
    const put = (type: string, message: string): object => ({
      type: "error",
      error: { type, message },
      request_id: null,
    });
    const openai = { error: { message: "slow down", type: "requests", code: "x" } };
    assert.deepEqual(await relayed(429, openai), put("rate_limit_error", "slow down"));
    assert.deepEqual(await relayed(529, {}), put("overloaded_error", "The backend answered with status 529."));
  });
});

describe("counting a prompt's tokens", () => {
  const count = "/v1/messages/count_tokens";

  test("is a backend's work where one can, and is counted here where none can, which a header says", async () => {
    const { desk, post } = await begin();
    const here = await post({ max_tokens: undefined, system: "12345" }, {}, count);
    assert.deepEqual([here.status, await here.json()], [200, { input_tokens: "12345\nHi".length }]);
    assert.equal(here.headers.get("x-baseload-method"), "counted_estimate");
    assert.equal(desk.exchanges.length, 0);
    desk.endpoints = ["messages", "count_tokens"];
    const there = await post({ max_tokens: undefined, stream: true }, {}, count);
    assert.equal(there.headers.get("x-baseload-method"), null);
    const [exchange] = desk.exchanges;
    assert.deepEqual([exchange?.job.endpoint, exchange?.job.stream], ["count_tokens", false]);
  });

  test("of a model that nobody has is for the desk to refuse", async () => {
    const { desk, post } = await begin();
    await post({ model: "none" }, {}, count);
    assert.equal(desk.exchanges[0]?.job.model, "none");
  });
});

test("models are listed in the shape of whoever asks", async () => {
  const { get } = await begin();
  const version = { "anthropic-version": "2023-06-01" };
  const listed = (await (await get("/v1/models", version)).json()) as { data: { id: string }[] };
  assert.deepEqual(listed, {
    data: listed.data,
    has_more: false,
    first_id: "m",
    last_id: "org/m 2",
  });
  const found: unknown = await (await get("/v1/models/org%2Fm%202", version)).json();
  assert.deepEqual(found, listed.data[1]);
  const openai = (await (await get("/v1/models")).json()) as { object: string };
  assert.equal(openai.object, "list");
});
