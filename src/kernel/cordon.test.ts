import assert from "node:assert/strict";
import { test } from "node:test";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import type { Command } from "./command.ts";
import { Kernel } from "./kernel.ts";

const said = (commands: readonly Command[]): readonly string[] =>
  commands.flatMap((command) => {
    if (command.kind === "send") return [`send ${command.requestId}→${command.backendId}`];
    if (command.kind === "wake") return [`wake ${command.requestId}`];
    if (command.kind !== "answer") return [];
    return [`answer ${command.requestId} ${command.result.ok ? "ok" : command.result.code}`];
  });

const BOTH = configOf([backendOf("a", { maxConcurrent: 4 }), backendOf("b", { maxConcurrent: 4 })]);
const cordon = (driver: Driver, backendId: string, cordoned = true): readonly string[] =>
  said(driver.step({ kind: "cordoned", backendId, cordoned }));

test("a cordoned backend is passed over with its reason, and keeps what it has", () => {
  const driver = new Driver(BOTH);
  assert.deepEqual(said(driver.arrive("1")), ["send 1→a"]);
  assert.deepEqual(cordon(driver, "a"), []);
  for (const id of ["2", "3", "4"]) assert.deepEqual(said(driver.arrive(id)), [`send ${id}→b`]);
  assert.deepEqual(said(driver.finish("1")), ["answer 1 ok"]);
  driver.finish("2");
  assert.deepEqual(driver.receipts.get("2")?.choice.excluded, [{ backendId: "a", reason: "cordoned" }]);
  const [a] = driver.kernel.backends();
  assert.deepEqual([a?.state, a?.cordoned, a?.inFlight], ["up", true, 0]);
});

test("what no other backend may serve waits for it, oldest first, or fails at its deadline", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  cordon(driver, "a");
  for (const id of ["1", "2", "3"]) assert.deepEqual(said(driver.arrive(id)), [`wake ${id}`]);
  driver.nowUs = 1_000_000;
  assert.deepEqual(said(driver.step({ kind: "woke", requestId: "2", attempt: 0 })), ["answer 2 queue_timeout"]);
  assert.deepEqual(cordon(driver, "a", false), ["send 1→a"]);
  assert.deepEqual(said(driver.finish("1")), ["answer 1 ok", "send 3→a"]);
});

test("a request that waited for a full backend goes on waiting when that is cordoned", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.arrive("1");
  assert.deepEqual(said(driver.arrive("2")), ["wake 2"]);
  cordon(driver, "a");
  assert.deepEqual(said(driver.finish("1")), ["answer 1 ok"]);
  assert.deepEqual(driver.kernel.counts().queued, 1);
  assert.deepEqual(cordon(driver, "a", false), ["send 2→a"]);
});

test("a request that failed elsewhere has its answer, and does not begin to wait", () => {
  const driver = new Driver(BOTH);
  driver.arrive("1");
  cordon(driver, "b");
  assert.deepEqual(said(driver.fail("1", { code: "upstream_broken" })), ["answer 1 upstream_broken"]);
});

test("what policy forbids is refused, cordoned or not", () => {
  const driver = new Driver(BOTH);
  cordon(driver, "a");
  cordon(driver, "b");
  assert.deepEqual(said(driver.arrive("1", { model: "x" })), ["answer 1 model_not_found"]);
});

test("a cordon outlives a new configuration, probes and a snapshot, and ends when the backend goes", () => {
  const driver = new Driver(BOTH);
  cordon(driver, "a");
  driver.configure(BOTH);
  driver.step({ kind: "observed", backendId: "a", state: "up", models: null, contextTokens: null });
  assert.equal(driver.kernel.backends()[0]?.cordoned, true);
  assert.equal(Kernel.restore(driver.kernel.snapshot()).backends()[0]?.cordoned, true);
  driver.configure(configOf([backendOf("b")]));
  driver.configure(BOTH);
  assert.equal(driver.kernel.backends().find(({ backendId }) => backendId === "a")?.cordoned, false);
  assert.deepEqual(cordon(driver, "nobody"), []);
});
