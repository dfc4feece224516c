import assert from "node:assert/strict";
import { test } from "node:test";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import { Kernel } from "./kernel.ts";

test("time never goes back and is whole, and the first event configures", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.nowUs = 10;
  driver.arrive("1");
  driver.nowUs = 9;
  assert.throws(() => driver.arrive("2"), /time went from 10 to 9/);
  driver.nowUs = 10.5;
  assert.throws(() => driver.arrive("2"), /time went/);
  const stored = { kind: "stored", requestIds: [] } as const;
  assert.throws(() => new Kernel().step(0, stored), /first event must be `configured`/);
});

test("a request that arrives twice is the shell's mistake", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.arrive("1");
  assert.throws(() => driver.arrive("1"), /arrived twice/);
  driver.finish("1");
  assert.throws(() => driver.arrive("1"), /arrived twice/);
});

test("a kernel restored from a snapshot goes on as the one it was taken from, and neither changes the other", () => {
  const driver = new Driver(configOf([backendOf("a", { watts: 3 }), backendOf("b")]));
  for (const id of ["1", "2", "3", "4"]) driver.arrive(id);
  driver.nowUs = 1_001;
  driver.fail("1");
  const snapshot = driver.kernel.snapshot();
  const twin = Kernel.restore(snapshot);
  assert.deepEqual(twin.snapshot(), snapshot);
  const finished = { kind: "finished", requestId: "2", attempt: 1, status: 200, finishReason: "stop" } as const;
  const usage = {
    inputTokens: 1,
    cachedInputTokens: null,
    cacheWriteTokens: null,
    outputTokens: 2,
    reasoningTokens: null,
  } as const;
  const event = { ...finished, usage: { ...usage, reportedCostNanoUsd: null, method: "provider_reported" } } as const;
  assert.deepEqual(twin.step(2_000, event), driver.kernel.step(2_000, event));
  assert.deepEqual(twin.snapshot(), driver.kernel.snapshot());
  assert.notDeepEqual(twin.snapshot(), snapshot);
});

test("models that a backend reports appear and stay over a new configuration; a limit that goes leaves it unlimited", () => {
  const driver = new Driver(configOf([backendOf("a", { models: null })]));
  assert.deepEqual(driver.kernel.models({ tenant: "t", key: null }), []);
  driver.step({ kind: "observed", backendId: "a", state: "up", models: ["x", "y"], contextTokens: 4_096 });
  driver.configure(configOf([backendOf("a", { models: null, maxConcurrent: null })]));
  assert.deepEqual(
    driver.kernel.models({ tenant: "t", key: null }).map((each) => each.model),
    ["x", "y"],
  );
  assert.equal(driver.kernel.backends()[0]?.capacity, null);
});
