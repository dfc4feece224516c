import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { FakeDesk } from "../../test/fakes/desk.ts";
import { GATEWAY_OPTIONS } from "../../test/fakes/gateway.ts";
import { runPageOf } from "../../test/fakes/run.ts";
import { hashKey } from "./access.ts";
import { Gateway } from "./server.ts";

const KEYS = new Map([
  [hashKey("key-acme"), { tenant: "acme", key: "laptop" }],
  [hashKey("key-other"), { tenant: "other", key: "server" }],
]);

const gateways: Gateway[] = [];
after(async () => {
  for (const gateway of gateways) {
    gateway.stopListening();
    await gateway.finish(0);
  }
});

async function begin() {
  const desk = new FakeDesk();
  const gateway = new Gateway(desk, { ...GATEWAY_OPTIONS, keys: KEYS });
  gateways.push(gateway);
  const port = await gateway.listen("127.0.0.1", 0);
  const call = async (path: string, init: RequestInit = {}, key = "key-acme") => {
    const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${key}` };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers });
    const value = (await response.json()) as {
      readonly [member: string]: unknown;
      readonly error?: { readonly code: string };
    };
    return { status: response.status, headers: response.headers, value, code: value.error?.code };
  };
  return { desk, call };
}

const CHAT = { method: "POST", body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] }) };

describe("runs over HTTP", () => {
  test("one is given to its tenant, and is 404 to every other", async () => {
    const { desk, call } = await begin();
    desk.runPages.set("acme agent/7", runPageOf("agent/7"));
    const { status, value } = await call("/api/runs/agent%2F7");
    assert.deepEqual([status, value["runId"], value["steps"], value["next"]], [200, "agent/7", 3, 12]);
    assert.deepEqual(desk.pagesAsked, [{ after: -1, limit: 20 }]);
    await call("/api/runs/agent%2F7?after=12&limit=5");
    assert.deepEqual(desk.pagesAsked[1], { after: 12, limit: 5 });
    const other = await call("/api/runs/agent%2F7", {}, "key-other");
    assert.deepEqual([other.status, other.code], [404, "run_not_found"]);
    for (const path of ["/api/runs/none", "/api/runs/", "/api/runs/two%20words", "/api/runs/%E0%A4%A"])
      assert.deepEqual((await call(path)).code, "run_not_found", path);
  });

  test("the latest are listed", async () => {
    const { desk, call } = await begin();
    desk.recentRuns = ["a", "b"].map((runId) => ({
      runId,
      lastReceiptId: "x",
      lastArrivedWallMs: 1,
      lastLeafIndex: 2,
    }));
    assert.deepEqual((await call("/api/runs")).value, { runs: desk.recentRuns });
    assert.deepEqual((await call("/api/runs?limit=1")).value, { runs: desk.recentRuns.slice(0, 1) });
  });

  test("what is asked for wrongly, or cannot be read, is refused in words", async () => {
    const { desk, call } = await begin();
    for (const query of ["limit=0", "limit=101", "limit=", "limit=x", "after=-2", "after=1.5"]) {
      const { status, code } = await call(`/api/runs/r?${query}`);
      assert.deepEqual([status, code], [400, "invalid_request"], query);
    }
    assert.equal((await call("/api/runs", CHAT)).code, "method_not_allowed");
    assert.equal((await call("/api/runs", {}, "key-wrong")).code, "wrong_key");
    desk.canRead = false;
    for (const path of ["/api/runs", "/api/runs/r"]) assert.equal((await call(path)).code, "storage_unavailable");
  });

  test("a call names its run to the desk, and learns its step", async () => {
    const { desk, call } = await begin();
    const answer = desk.onArrive;
    desk.onArrive = (exchange) => {
      exchange.joined(4);
      answer(exchange);
    };
    const headers = { "x-baseload-run": "agent-7", "x-baseload-run-max-steps": "9" };
    const { headers: given } = await call("/v1/chat/completions", { ...CHAT, headers });
    assert.equal(given.get("x-baseload-run-step"), "4");
    const { job } = desk.exchanges[0] ?? assert.fail();
    assert.deepEqual([job.run?.runId, job.run?.limits.maxSteps], ["agent-7", 9]);
    desk.onArrive = answer;
    assert.equal((await call("/v1/chat/completions", CHAT)).headers.get("x-baseload-run-step"), null);
    assert.equal(desk.exchanges[1]?.job.run, null);
  });

  test("a kept answer tells the step that it was", async () => {
    const { desk, call } = await begin();
    const answer = desk.onArrive;
    desk.onArrive = (exchange) => {
      exchange.joined(2);
      answer(exchange);
    };
    const headers = { "x-baseload-run": "r", "idempotency-key": "k" };
    for (const replayed of [null, "true"]) {
      const { headers: given } = await call("/v1/chat/completions", { ...CHAT, headers });
      assert.deepEqual([given.get("x-baseload-replayed"), given.get("x-baseload-run-step")], [replayed, "2"]);
    }
    assert.equal(desk.exchanges.length, 1);
  });

  test("a run that cannot be one is refused before the desk hears of it", async () => {
    const { desk, call } = await begin();
    const { status, value } = await call("/v1/chat/completions", {
      ...CHAT,
      headers: { "x-baseload-run": "two words" },
    });
    assert.deepEqual([status, (value.error as { param?: string } | undefined)?.param], [400, "x-baseload-run"]);
    assert.deepEqual([desk.exchanges.length, desk.refusals], [0, ["invalid_request"]]);
  });
});
