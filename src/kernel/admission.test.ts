import assert from "node:assert/strict";
import { test } from "node:test";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import type { Command } from "./command.ts";

const kinds = (commands: readonly Command[]): readonly string[] => commands.map((command) => command.kind);

/** `send a→x` for each send, `answer a code` for each answer, so that a test reads in one line. */
function said(commands: readonly Command[]): readonly string[] {
  return commands.flatMap((command) => {
    if (command.kind === "send") return [`send ${command.requestId}→${command.backendId}`];
    if (command.kind !== "answer") return [];
    return [`answer ${command.requestId} ${command.result.ok ? "ok" : command.result.code}`];
  });
}

const LIMITS = { maxQueued: 2, queueTimeoutMs: 1_000, maxAttempts: 3, maxUnsettled: 100 };

test("a request is sent at once to the least-loaded backend that serves it, renamed and watched as configured", () => {
  const driver = new Driver(
    configOf([backendOf("a", { maxConcurrent: 4 }), backendOf("b", { maxConcurrent: 4, models: { m: "org/m" } })]),
  );
  assert.deepEqual(said(driver.arrive("1")), ["send 1→a"]);
  const [send] = driver.arrive("2", { wantsUsage: false });
  assert.ok(send?.kind === "send");
  assert.deepEqual(
    [send.backendId, send.upstreamModel, send.edits],
    ["b", "org/m", { model: "org/m", forceUsage: true }],
  );
  assert.equal(send.watch.firstMs, 300);
});

test("an answer that is not streamed is watched by its total alone, and asks for no forced usage", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  const [send] = driver.arrive("1", { stream: false });
  assert.ok(send?.kind === "send");
  assert.deepEqual([send.watch.connectMs, send.watch.headersMs, send.watch.firstMs], [100, 5_000, 5_000]);
  assert.deepEqual(send.edits, { model: null, forceUsage: false });
});

test("what nobody can serve is refused with the code that says why, and settled", () => {
  const driver = new Driver(configOf([backendOf("a", { endpoints: ["chat"], contextTokens: 100 })]));
  assert.deepEqual(said(driver.arrive("1", { model: "x" })), ["answer 1 model_not_found"]);
  assert.deepEqual(said(driver.arrive("2", { endpoint: "completions" })), ["answer 2 endpoint_not_served"]);
  assert.deepEqual(said(driver.arrive("3", { promptTextLength: 1_601 })), ["answer 3 context_length_exceeded"]);
  assert.deepEqual(said(driver.arrive("4", { class: "unheard-of" })), ["answer 4 unknown_class"]);
  assert.deepEqual(said(driver.arrive("5", { promptTextLength: 1_600 })), ["send 5→a"]);
  assert.deepEqual([...driver.receipts.keys()], ["1", "2", "3", "4"]);
});

test("a backend that was never reached may serve the model for all that is known", () => {
  const driver = new Driver(configOf([backendOf("a", { models: null })]));
  assert.deepEqual(said(driver.arrive("1")), ["answer 1 upstream_unreachable"]);
  driver.step({ kind: "observed", backendId: "a", state: "up", models: ["m"], contextTokens: null });
  assert.deepEqual(said(driver.arrive("2")), ["send 2→a"]);
});

test("a model that only a pool without members has is refused as something that passes, with the time to come again", () => {
  const pool = { id: "p", models: { x: "org/x" }, endpoints: ["chat"], contextTokens: 100 } as const;
  const driver = new Driver(configOf([backendOf("a")], { emptyPools: [pool] }));
  const [answer] = driver.arrive("1", { model: "x" });
  assert.ok(answer?.kind === "answer" && !answer.result.ok);
  assert.deepEqual([answer.result.code, answer.result.retryAfterMs, answer.result.relay], ["no_members", 1_000, false]);
  assert.deepEqual(driver.receipts.get("1")?.choice.excluded, [
    { backendId: "a", reason: "model_not_served" },
    { backendId: "p", reason: "no_members" },
  ]);
  assert.deepEqual(said(driver.arrive("2", { model: "y" })), ["answer 2 model_not_found"]);
  assert.deepEqual(said(driver.arrive("3", { model: "x", endpoint: "completions" })), ["answer 3 endpoint_not_served"]);
  assert.deepEqual(said(driver.arrive("4", { model: "x", promptTextLength: 1_601 })), [
    "answer 4 context_length_exceeded",
  ]);
  assert.deepEqual(said(driver.arrive("5")), ["send 5→a"]);
});

test("a pool without members whose models are not known may serve any for all that is known", () => {
  const pool = { id: "p", models: null, endpoints: ["chat"], contextTokens: null } as const;
  const driver = new Driver(configOf([backendOf("a", { contextTokens: 100 })], { emptyPools: [pool] }));
  assert.deepEqual(said(driver.arrive("1", { model: "x" })), ["answer 1 no_members"]);
  assert.deepEqual(said(driver.arrive("2", { promptTextLength: 1_601 })), ["answer 2 no_members"]);
  assert.deepEqual(said(driver.arrive("3")), ["send 3→a"]);
});

test("a request that waits is refused when the last member that could serve it goes", () => {
  const driver = new Driver(configOf([backendOf("p/1"), backendOf("a", { models: { n: "n" } })]));
  driver.step({ kind: "observed", backendId: "p/1", state: "starting", models: null, contextTokens: null });
  assert.deepEqual(said(driver.arrive("1")), []);
  const pool = { id: "p", models: { m: "m" }, endpoints: ["chat"], contextTokens: null } as const;
  const config = configOf([backendOf("a", { models: { n: "n" } })], { emptyPools: [pool] });
  assert.deepEqual(said(driver.step({ kind: "configured", config, seed: "s", wallMs: 0 })), ["answer 1 no_members"]);
});

test("the queue is first in, first out, bounded, and passes those over whose backend is still full", () => {
  const backends = [backendOf("a"), backendOf("b", { models: { n: "n" } })];
  const driver = new Driver(configOf(backends, { limits: LIMITS }));
  driver.arrive("m1");
  driver.arrive("n1", { model: "n" });
  assert.deepEqual(kinds(driver.arrive("m2")), ["wake"]);
  assert.deepEqual(kinds(driver.arrive("n2", { model: "n" })), ["wake"]);
  const refused = driver.arrive("m3");
  assert.deepEqual(said(refused), ["answer m3 queue_full"]);
  assert.ok(refused[0]?.kind === "answer" && !refused[0].result.ok && refused[0].result.retryAfterMs === 1_000);
  assert.deepEqual(said(driver.finish("n1")), ["answer n1 ok", "send n2→b"]);
  assert.deepEqual(said(driver.finish("m1")), ["answer m1 ok", "send m2→a"]);
});

test("a request leaves the queue at its deadline, not before, and a wake after it was sent is stale", () => {
  const driver = new Driver(configOf([backendOf("a")], { limits: LIMITS }));
  driver.arrive("1");
  const [wake] = driver.arrive("2");
  assert.ok(wake?.kind === "wake");
  assert.equal(wake.atUs, 1_000_000);
  driver.nowUs = 999_999;
  assert.deepEqual(driver.step({ kind: "woke", requestId: "2", attempt: 0 }), []);
  driver.nowUs = 1_000_000;
  assert.deepEqual(said(driver.step({ kind: "woke", requestId: "2", attempt: 0 })), ["answer 2 queue_timeout"]);
  driver.arrive("3");
  driver.finish("1");
  driver.nowUs = 3_000_000;
  assert.deepEqual(driver.step({ kind: "woke", requestId: "3", attempt: 0 }), []);
});

test("nothing is sent before the lease is granted, and only as much as it grants", () => {
  const driver = new Driver(configOf([]));
  const resource = "backend/a/concurrency";
  const config = configOf([backendOf("a", { maxConcurrent: 2 })]);
  const asked = driver.step({ kind: "configured", wallMs: 0, config, seed: "s" });
  assert.deepEqual(asked, [{ kind: "lease", resource, amount: 2 }]);
  for (const id of ["1", "2", "3"]) assert.deepEqual(kinds(driver.arrive(id)), ["wake"]);
  assert.deepEqual(said(driver.step({ kind: "leased", resource, amount: 1 })), ["send 1→a"]);
  assert.deepEqual(said(driver.step({ kind: "leased", resource, amount: 2 })), ["send 2→a"]);
});

test("a grant that was asked for before the limit fell does not lift it", () => {
  const driver = new Driver(configOf([backendOf("a", { maxConcurrent: 3 })]));
  driver.arrive("1");
  const lower = configOf([backendOf("a", { maxConcurrent: 1 })]);
  driver.step({ kind: "configured", wallMs: 0, config: lower, seed: "s" });
  assert.deepEqual(kinds(driver.arrive("2")), ["wake"]);
  assert.deepEqual(driver.step({ kind: "leased", resource: "backend/a/concurrency", amount: 3 }), []);
});

test("requests wait for a backend that is starting, and go when it is up, or when it turns out to be down", () => {
  for (const state of ["up", "down"] as const) {
    const driver = new Driver(configOf([backendOf("a")]));
    const observed = { kind: "observed", backendId: "a", models: null, contextTokens: null } as const;
    driver.step({ ...observed, state: "starting" });
    assert.deepEqual(kinds(driver.arrive("1")), ["wake"]);
    assert.deepEqual(said(driver.step({ ...observed, state })), ["send 1→a"]);
  }
});

test("no request is taken while too many receipts wait for the store", () => {
  const driver = new Driver(configOf([backendOf("a")], { limits: { ...LIMITS, maxUnsettled: 1 } }));
  driver.arrive("1");
  driver.finish("1");
  assert.deepEqual(said(driver.arrive("2")), ["answer 2 storage_unavailable"]);
  driver.step({ kind: "appended", firstLeafIndex: 0, requestIds: ["1", "2"] });
  assert.deepEqual(said(driver.arrive("3")), ["send 3→a"]);
});

test("a request waits for a backend that is being asked for its models, and is refused once it does not answer", () => {
  const observed = (state: "starting" | "up" | "down", models: readonly string[] | null) =>
    ({ kind: "observed", backendId: "a", state, models, contextTokens: null }) as const;
  const begin = (): Driver => {
    const driver = new Driver(configOf([backendOf("a", { models: null })]));
    driver.step(observed("starting", null));
    assert.deepEqual(kinds(driver.arrive("1")), ["wake"]);
    return driver;
  };
  assert.deepEqual(said(begin().step(observed("up", ["m"]))), ["send 1→a"]);
  assert.deepEqual(said(begin().step(observed("down", null))), ["answer 1 upstream_unreachable"]);
});
