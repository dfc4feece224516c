import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GATEWAY_OPTIONS } from "../../test/fakes/gateway.ts";
import { receiptOf } from "../../test/fakes/receipt.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { hashKey } from "./access.ts";
import type { GatewayOptions } from "./server.ts";

const ID = "018bcfe5-6800-7000-8000-0000000000ff";
const OPTIONS: GatewayOptions = { ...GATEWAY_OPTIONS, maxBodyBytes: 1000, version: "1.2.3" };
const KEYS = new Map([
  [hashKey("key-acme"), { tenant: "acme", key: "laptop" }],
  [hashKey("key-other"), { tenant: "other", key: "server" }],
]);
const CHAT = JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] });

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly param: string | null };
}

async function begin(change: Partial<GatewayOptions> = {}) {
  const { desk, gateway, origin } = await startGateway({ ...OPTIONS, ...change });
  const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(origin + path, init);
  const post = (path: string, body: string = CHAT, headers: Record<string, string> = {}): Promise<Response> =>
    call(path, { method: "POST", body, headers });
  return { desk, call, post, gateway };
}

async function codeOf(response: Response): Promise<string> {
  assert.equal(response.headers.get("content-type"), "application/json");
  return ((await response.json()) as ErrorBody).error.code;
}

describe("a mistake of ours at the door", () => {
  test("is answered with `internal`, tells nothing of itself, and the next request is served", async () => {
    const { desk, call } = await begin();
    const chat = { method: "POST", body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] }) };
    const asAcme = { ...chat, headers: { authorization: "Bearer key-acme" } };
    desk.isBroken = true;
    const response = await call("/v1/chat/completions", asAcme);
    assert.equal(response.status, 500);
    assert.equal(await codeOf(response), "internal");
    desk.isBroken = false;
    assert.notEqual((await call("/healthz")).status, 500);
  });
});

describe("routes", () => {
  test("completions are handed to the desk as jobs, with what they ask for", async () => {
    const { desk, post } = await begin();
    assert.deepEqual(await (await post("/v1/chat/completions")).json(), { model: "m" });
    await (await post("/v1/completions?x=1", '{"model":"n","prompt":"abc","max_tokens":5,"user":"u"}')).text();
    const [chat, text] = desk.exchanges.map(({ job }) => job);
    assert.deepEqual(
      [chat?.endpoint, chat?.model, chat?.class, chat?.principal.tenant],
      ["chat", "m", "standard", "default"],
    );
    assert.deepEqual([text?.endpoint, text?.promptTextLength, text?.maxOutputTokens], ["completions", 3, 5]);
    assert.equal(text?.principal.user, "u");
    assert.equal(desk.exchanges[0]?.body.toString(), CHAT);
  });

  test("the class comes from its header", async () => {
    const { desk, post } = await begin();
    await post("/v1/chat/completions", CHAT, { "x-baseload-class": "batch" });
    assert.equal(desk.exchanges[0]?.job.class, "batch");
  });

  test("models are listed, and each is found by its name, escaped or not", async () => {
    const { call } = await begin();
    const list = (await (await call("/v1/models")).json()) as {
      data: { id: string; context_length: number | null; meta?: object }[];
    };
    assert.deepEqual(
      list.data.map(({ id, context_length, meta }) => [id, context_length, meta]),
      [
        ["m", 4096, { layers: 3 }],
        ["org/m 2", null, undefined],
      ],
    );
    for (const name of ["org/m%202", "org%2Fm%202"]) {
      assert.equal(((await (await call(`/v1/models/${name}`)).json()) as { id: string }).id, "org/m 2");
    }
    assert.equal(((await (await call("/v1/models/other")).json()) as { id: string }).id, "m", "by its alias");
    const missing = await call("/v1/models/none");
    assert.equal(missing.status, 404);
    assert.equal(await codeOf(missing), "model_not_found");
    assert.equal((await call("/v1/models/%ff")).status, 404);
  });

  test("an unknown path is 404, and names of object members are unknown paths too", async () => {
    const { call, post } = await begin();
    for (const path of ["/", "/v1", "/v1/chat", "/constructor", "/__proto__", "/v1/chat/completions/"]) {
      const response = await call(path);
      assert.equal(response.status, 404, path);
      assert.equal(await codeOf(response), "route_not_found");
    }
    assert.equal((await post("/nowhere")).status, 404);
  });

  test("another method is 405 and the allowed ones are named", async () => {
    const { call, post } = await begin();
    const got = await call("/v1/chat/completions");
    assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"]);
    assert.equal(await codeOf(got), "method_not_allowed");
    for (const path of ["/v1/models", "/healthz", "/readyz", `/api/receipts/${ID}`]) {
      const posted = await post(path);
      assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"], path);
    }
  });

  test("HEAD has the headers of GET and no body", async () => {
    const { call } = await begin();
    for (const path of ["/healthz", "/readyz", "/v1/models", "/v1/models/none"]) {
      const got = await call(path);
      const head = await call(path, { method: "HEAD" });
      assert.equal(head.status, got.status);
      assert.equal(head.headers.get("content-length"), String((await got.arrayBuffer()).byteLength));
      assert.equal(await head.text(), "");
    }
  });
});

describe("health", () => {
  test("healthz says that it runs, and which version", async () => {
    const { call, desk } = await begin({ keys: KEYS });
    desk.states = ["down"];
    assert.deepEqual(await (await call("/healthz")).json(), { status: "ok", version: "1.2.3" });
  });

  test("readyz gives each reason why it is not ready", async () => {
    const { call, desk } = await begin({ keys: KEYS });
    const ready = async () => {
      const response = await call("/readyz", { headers: { authorization: "Bearer key-acme" } });
      return [response.status, ((await response.json()) as { trouble: string[] }).trouble];
    };
    assert.deepEqual(await ready(), [200, []]);
    desk.states = ["down", "cooling"];
    assert.deepEqual(await ready(), [200, []]);
    desk.states = ["down", "starting"];
    assert.deepEqual(await ready(), [503, ["no backend is up"]]);
    desk.storeTrouble = "disk is full";
    desk.stopping = true;
    assert.deepEqual(await ready(), [
      503,
      ["the server is stopping", "receipts cannot be stored: disk is full", "no backend is up"],
    ]);
  });

  test("readyz tells warnings, which make nothing unready", async () => {
    const { call, desk } = await begin();
    desk.warnings = ["the configuration was not reloaded"];
    const response = await call("/readyz");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: "ready", trouble: [], warnings: desk.warnings });
  });
});

describe("access", () => {
  const bearer = (key: string): { headers: Record<string, string> } => ({ headers: { authorization: key } });

  test("a key names its tenant, in any spelling of the scheme", async () => {
    const { desk, post } = await begin({ keys: KEYS });
    for (const authorization of ["Bearer key-acme", "bearer key-acme", "BEARER   key-acme"]) {
      assert.equal((await post("/v1/chat/completions", CHAT, { authorization })).status, 200);
    }
    assert.deepEqual(desk.exchanges[0]?.job.principal, { tenant: "acme", project: null, user: null, key: "laptop" });
  });

  test("a missing and a wrong key are refused, and no two wrong keys are told apart", async () => {
    const { desk, call, post } = await begin({ keys: KEYS });
    const missing = await call("/v1/models");
    assert.deepEqual([missing.status, missing.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.equal(await codeOf(missing), "missing_key");
    assert.equal(await codeOf(await call("/v1/models", bearer("Basic key-acme"))), "missing_key");
    const wrong = ["Bearer nope", "Bearer key-acm", "Bearer key-acmee", `Bearer ${hashKey("key-acme")}`];
    const said = new Set<string>();
    for (const authorization of wrong) {
      const response = await post("/v1/chat/completions", CHAT, { authorization });
      assert.equal(response.status, 401);
      said.add(await response.text());
    }
    assert.equal(said.size, 1);
    assert.ok(![...said].some((text) => text.includes("nope") || text.includes("key-acm")));
    assert.equal(desk.exchanges.length, 0);
  });

  test("without keys a web page of another origin is refused, and one of this machine is not", async () => {
    const { call, post } = await begin();
    const from = async (origin: string): Promise<number> => (await call("/v1/models", { headers: { origin } })).status;
    for (const origin of ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080", "http://app.localhost"]) {
      assert.equal(await from(origin), 200, origin);
    }
    for (const origin of [
      "https://evil.example",
      "null",
      "http://127.0.0.1.evil.example",
      "http://localhost.evil.example",
    ]) {
      assert.equal(await from(origin), 403, origin);
    }
    const refused = await post("/v1/chat/completions", CHAT, { origin: "https://evil.example" });
    assert.equal(await codeOf(refused), "origin_refused");
  });

  test("another configuration replaces all keys at once, and the limits of bodies", async () => {
    const { call, post, gateway } = await begin({ keys: KEYS });
    gateway.configure({ ...OPTIONS, keys: new Map([[hashKey("key-new"), { tenant: "new", key: "k" }]]) });
    assert.equal((await call("/v1/models", bearer("Bearer key-acme"))).status, 401);
    const authorization = "Bearer key-new";
    assert.equal((await call("/v1/models", { headers: { authorization } })).status, 200);
    gateway.configure({ ...OPTIONS, maxBodyBytes: 10 });
    assert.equal((await post("/v1/chat/completions")).status, 413);
  });

  test("with keys any origin may ask, since a page has no key by itself", async () => {
    const { call } = await begin({ keys: KEYS });
    const headers = { authorization: "Bearer key-acme", origin: "https://app.example" };
    assert.equal((await call("/v1/models", { headers })).status, 200);
  });
});

describe("requests that are refused", () => {
  test("JSON that is none, and shapes that are not taken, are told from each other", async () => {
    const { desk, post } = await begin();
    const broken = await post("/v1/chat/completions", "{");
    assert.deepEqual([broken.status, await codeOf(broken)], [400, "invalid_json"]);
    const shapeless = await post("/v1/chat/completions", '{"model":"m"}');
    assert.equal(shapeless.status, 400);
    const { error } = (await shapeless.json()) as ErrorBody;
    assert.deepEqual([error.code, error.param], ["invalid_request", "messages"]);
    assert.equal(desk.exchanges.length, 0);
  });

  test("an unknown compression is 415, and an identity encoding is none", async () => {
    const { post } = await begin();
    const unknown = await post("/v1/chat/completions", CHAT, { "content-encoding": "lzma" });
    assert.deepEqual([unknown.status, await codeOf(unknown)], [415, "unsupported_encoding"]);
    assert.equal((await post("/v1/chat/completions", CHAT, { "content-encoding": "identity" })).status, 200);
  });

  test("once the server is stopping no request is taken, and the client is told to come again", async () => {
    const { desk, post } = await begin();
    desk.stopping = true;
    const response = await post("/v1/chat/completions");
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
    assert.equal(response.headers.get("connection"), "close");
    assert.equal(await codeOf(response), "shutting_down");
    assert.equal(desk.exchanges.length, 0);
  });
});

describe("the address of a client", () => {
  const from = (address: string) => ({ "x-forwarded-for": address });

  test("is told to the desk with its request where the operator wants it, as far as proxies are trusted", async () => {
    const { desk, post, gateway } = await begin({ logClientAddress: true, trustedProxies: ["127.0.0.1"] });
    await post("/v1/chat/completions", CHAT, from("9.9.9.9, 192.0.2.7"));
    await post("/v1/chat/completions", CHAT);
    await post("/v1/chat/completions", "{");
    assert.deepEqual(
      desk.exchanges.map(({ job }) => desk.addresses.get(job.requestId)),
      ["192.0.2.7", "127.0.0.1"],
    );
    assert.equal(desk.addresses.size, 2, "none is kept of a request that has no receipt");
    gateway.configure({ ...OPTIONS, logClientAddress: false });
    await post("/v1/chat/completions", CHAT);
    assert.equal(desk.addresses.size, 2);
  });

  test("is not what a client says that is no trusted proxy, and is told to nobody unless asked for", async () => {
    const untrusting = await begin({ logClientAddress: true });
    await untrusting.post("/v1/chat/completions", CHAT, from("192.0.2.7"));
    assert.deepEqual([...untrusting.desk.addresses.values()], ["127.0.0.1"]);
    const plain = await begin({ trustedProxies: ["127.0.0.1"] });
    await plain.post("/v1/chat/completions", CHAT, from("192.0.2.7"));
    assert.equal(plain.desk.addresses.size, 0);
  });
});

describe("request ids", () => {
  test("the client's is given back where it is printable and short, else ours", async () => {
    const { desk, post } = await begin();
    const idOf = async (given?: string): Promise<string | null> => {
      const headers: Record<string, string> = given === undefined ? {} : { "x-request-id": given };
      return (await post("/v1/chat/completions", CHAT, headers)).headers.get("x-request-id");
    };
    assert.equal(await idOf("abc-123"), "abc-123");
    assert.equal(await idOf("x".repeat(128)), "x".repeat(128));
    for (const bad of [undefined, "x".repeat(129), "a b", "é"]) {
      const id = await idOf(bad);
      assert.equal(id, desk.exchanges.at(-1)?.job.requestId, String(bad));
    }
  });

  test("errors carry it too, and completions name their receipt", async () => {
    const { desk, post } = await begin();
    const broken = await post("/v1/chat/completions", "{", { "x-request-id": "mine" });
    assert.equal(broken.headers.get("x-request-id"), "mine");
    const good = await post("/v1/chat/completions");
    assert.equal(good.headers.get("x-baseload-receipt"), desk.exchanges[0]?.job.requestId);
  });
});

describe("receipts", () => {
  const asAcme = { headers: { authorization: "Bearer key-acme" } };

  test("are given to their tenant, 202 while pending, and 404 to every other", async () => {
    const { desk, call } = await begin({ keys: KEYS });
    desk.receipts.set(ID, "pending");
    const pending = await call(`/api/receipts/${ID}`, asAcme);
    assert.equal(pending.status, 202);
    assert.deepEqual(await pending.json(), { receiptId: ID, settled: false });
    desk.receipts.set(ID, { leafIndex: 7, receipt: receiptOf(ID, "acme") });
    const settled = await call(`/api/receipts/${ID}`, asAcme);
    assert.equal(settled.status, 200);
    assert.deepEqual(await settled.json(), { settled: true, leafIndex: 7, ...receiptOf(ID, "acme") });
    const other = await call(`/api/receipts/${ID}`, { headers: { authorization: "Bearer key-other" } });
    const none = await call(`/api/receipts/${ID.replace("ff", "fe")}`, asAcme);
    assert.deepEqual([other.status, none.status], [404, 404]);
    assert.equal(await other.text(), await none.text(), "another's receipt is as good as none");
    assert.equal((await call(`/api/receipts/${ID}`)).status, 401);
  });

  test("of an id that is none are 404", async () => {
    const { call } = await begin();
    for (const id of ["", "x", ID.toUpperCase(), `${ID}/x`]) {
      const response = await call(`/api/receipts/${id}`);
      assert.equal(response.status, 404, id);
      assert.equal(await codeOf(response), "receipt_not_found");
    }
  });

  test("are 503 when the store cannot read", async () => {
    const { desk, call } = await begin();
    desk.canRead = false;
    const response = await call(`/api/receipts/${ID}`);
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "1"]);
    const text = await response.text();
    assert.match(text, /storage_unavailable/);
    assert.ok(!text.includes("the disk is gone"), "the store's own words are for the log");
  });
});

describe("readiness with keys", () => {
  test("tells trouble and warnings to whoever has one, and only how it stands to everybody else", async () => {
    const { desk, call } = await begin({ keys: KEYS });
    desk.warnings = ["baseload.yaml:3: a secret path"];
    desk.storeTrouble = "/secret/path is full";
    const stranger = await call("/readyz");
    assert.equal(stranger.status, 503);
    assert.deepEqual(await stranger.json(), { status: "not_ready", trouble: [], warnings: [] });
    const known = await call("/readyz", { headers: { authorization: "Bearer key-acme" } });
    const trouble = ["receipts cannot be stored: /secret/path is full"];
    assert.deepEqual(await known.json(), { status: "not_ready", trouble, warnings: desk.warnings });
  });
});

describe("/metrics", () => {
  test("are text for whoever may call, and refusals at the door are counted", async () => {
    const { desk, call } = await begin({ keys: KEYS });
    const response = await call("/metrics", { headers: { authorization: "Bearer key-acme" } });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.equal((await call("/metrics")).status, 401);
    await call("/v1/completions", { method: "POST", headers: { authorization: "Bearer key-acme" }, body: "{" });
    await call("/nothing");
    await call("/v1/completions");
    assert.deepEqual(desk.refusals, ["missing_key", "invalid_json", "route_not_found", "method_not_allowed"]);
  });
});
