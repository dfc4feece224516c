import assert from "node:assert/strict";
import { test } from "node:test";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { unknownObservation } from "../base/engine-observation.ts";
import { hashKey } from "./access.ts";
import { operationOf } from "./operator.ts";
import type { GatewayOptions } from "./server.ts";

async function begin(keys: GatewayOptions["keys"] = new Map()) {
  const { desk, origin } = await startGateway({ keys });
  const call = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(origin + path, { method, headers });
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) as Body };
  };
  return { desk, call };
}

interface Body {
  readonly error?: { readonly code: string };
  readonly backends?: readonly { readonly engine: Readonly<Record<string, unknown>> | null }[];
  readonly cordoned?: boolean;
  readonly inFlight?: number;
}

test("a path names a backend and what is done with it, whatever the name holds", () => {
  assert.deepEqual(operationOf("/api/backends"), { backendId: null, verb: null });
  assert.deepEqual(operationOf("/api/backends/a/drain"), { backendId: "a", verb: "drain" });
  for (const name of ["vllm/10.0.0.5:8000", "vllm%2F10.0.0.5:8000"])
    assert.deepEqual(operationOf(`/api/backends/${name}/cordon`), { backendId: "vllm/10.0.0.5:8000", verb: "cordon" });
  for (const path of ["/api/backends/", "/api/backends/a", "/api/backends//cordon", "/api/backends/cordon", "/api"])
    assert.equal(operationOf(path), null, path);
  assert.equal(operationOf("/api/backends/%ff/cordon"), null);
});

test("backends are listed with their state apart from cooling and cordon", async () => {
  const { desk, call } = await begin();
  desk.states = ["cooling", "down"];
  desk.cordons.add("b1");
  const { status, body } = await call("GET", "/api/backends");
  const place = { site: "here", layer: "device", inFlight: 0, capacity: null, engine: null };
  assert.equal(status, 200);
  assert.deepEqual(body.backends, [
    { backendId: "b0", state: "up", cooling: true, cordoned: false, ...place },
    { backendId: "b1", state: "down", cooling: false, cordoned: true, ...place },
  ]);
});

test("what an engine says of itself is shown in people's units, with its age", async () => {
  const { desk, call } = await begin();
  const observation = { ...unknownObservation("vllm"), running: 3, kvUsageMillionths: 250_000, version: "0.10.2" };
  desk.engine = { observation, ageUs: 1_500_000, stale: true };
  const { body } = await call("GET", "/api/backends");
  const engine = body.backends?.[0]?.engine ?? {};
  const shown = ["kind", "version", "ageMs", "stale", "running", "waiting", "kvUsage"].map((name) => engine[name]);
  assert.deepEqual(shown, ["vllm", "0.10.2", 1500, true, 3, null, 0.25]);
  assert.ok(!("kvUsageMillionths" in engine));
});

test("a backend is cordoned and given back; one that is not there is 404, another method 405", async () => {
  const { desk, call } = await begin();
  const cordoned = await call("POST", "/api/backends/b0/cordon");
  assert.deepEqual([cordoned.status, cordoned.body.cordoned, [...desk.cordons]], [200, true, ["b0"]]);
  const ready = await call("GET", "/readyz");
  assert.equal(ready.status, 503);
  const given = await call("POST", "/api/backends/b0/uncordon");
  assert.deepEqual([given.status, given.body.cordoned, desk.cordons.size], [200, false, 0]);
  const missing = await call("POST", "/api/backends/none/cordon");
  assert.deepEqual([missing.status, missing.body.error?.code], [404, "backend_not_found"]);
  const got = await call("GET", "/api/backends/b0/cordon");
  assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"]);
  assert.equal((await call("POST", "/api/backends")).headers.get("allow"), "GET, HEAD");
});

test("a drain answers when nothing is in flight, or when its time is over or the cordon is taken back", async () => {
  const { desk, call } = await begin();
  desk.inFlight = 2;
  const atOnce = await call("POST", "/api/backends/b0/drain?waitMs=0");
  assert.deepEqual([atOnce.status, atOnce.body.inFlight, atOnce.body.cordoned], [202, 2, true]);
  const waiting = call("POST", "/api/backends/b0/drain");
  setTimeout(() => (desk.inFlight = 0), 80);
  const empty = await waiting;
  assert.deepEqual([empty.status, empty.body.inFlight], [200, 0]);
  desk.inFlight = 1;
  setTimeout(() => desk.cordon("b0", false), 80);
  const back = await call("POST", "/api/backends/b0/drain");
  assert.deepEqual([back.status, back.body.cordoned], [202, false]);
  for (const waitMs of ["", "-1", "x", "1e9"])
    assert.equal((await call("POST", `/api/backends/b0/drain?waitMs=${waitMs}`)).status, 400, waitMs);
});

test("with keys an operator's is needed, and another's is told apart from a wrong one", async () => {
  const { desk, call } = await begin(
    new Map([
      [hashKey("key-admin"), { tenant: "ops", key: "a", admin: true }],
      [hashKey("key-user"), { tenant: "acme", key: "b", admin: false }],
    ]),
  );
  const by = (key: string) => ({ authorization: `Bearer ${key}` });
  assert.equal((await call("POST", "/api/backends/b0/cordon")).status, 401);
  assert.equal((await call("POST", "/api/backends/b0/cordon", by("key-wrong"))).status, 401);
  for (const [method, path] of [
    ["GET", "/api/backends"],
    ["POST", "/api/backends/b0/cordon"],
    ["POST", "/api/backends/none/drain"],
  ] as const) {
    const refused = await call(method, path, by("key-user"));
    assert.deepEqual([refused.status, refused.body.error?.code], [403, "not_admin"]);
  }
  assert.equal(desk.cordons.size, 0);
  assert.equal((await call("POST", "/api/backends/b0/cordon", by("key-admin"))).status, 200);
});

test("without keys a web page of another origin may not operate", async () => {
  const { desk, call } = await begin();
  assert.equal((await call("POST", "/api/backends/b0/cordon", { origin: "https://evil.example" })).status, 403);
  assert.equal(desk.cordons.size, 0);
});
