import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownObservation } from "../base/engine-observation.ts";
import { backendOf, configOf, Driver } from "../sim/driver.ts";
import type { Command } from "./command.ts";
import type { Event, Observed } from "./event.ts";
import { JournalWriter, Replayer } from "./journal.ts";
import { Kernel } from "./kernel.ts";

const observation = { ...unknownObservation("vllm"), running: 3, waiting: 1, maxConcurrent: 2 };
const up: Observed = { kind: "observed", backendId: "a", state: "up", models: null, contextTokens: null, observation };
const down: Observed = { kind: "observed", backendId: "a", state: "down", models: null, contextTokens: null };

test("an engine's last word is kept with its age, and is stale once it does not answer", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  assert.equal(driver.kernel.backends()[0]?.engine, null);
  driver.nowUs = 1000;
  driver.step(up);
  assert.deepEqual(driver.kernel.backends(4000)[0]?.engine, { observation, ageUs: 3000, stale: false });
  driver.nowUs = 5000;
  driver.step(down);
  assert.deepEqual(driver.kernel.backends()[0]?.engine, { observation, ageUs: 4000, stale: true });
  driver.nowUs = 6000;
  const later = { ...observation, running: 0 };
  driver.step({ ...up, observation: later });
  assert.deepEqual(driver.kernel.backends()[0]?.engine, { observation: later, ageUs: 0, stale: false });
});

test("an engine that is up and says nothing has taken the place of the one that did", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.step(up);
  driver.step({ ...down, state: "up" });
  assert.equal(driver.kernel.backends()[0]?.engine, null);
});

test("what an engine says of its room is shown and changes no limit", () => {
  const driver = new Driver(configOf([backendOf("a", { maxConcurrent: null })]));
  driver.step(up);
  for (const id of ["1", "2", "3"]) assert.equal(driver.arrive(id).find(({ kind }) => kind === "send")?.kind, "send");
  assert.equal(driver.kernel.backends()[0]?.capacity, null);
});

test("a context that an engine no longer names is forgotten; one that does not speak for itself keeps what was learned", () => {
  const driver = new Driver(configOf([backendOf("a", { contextTokens: null })]));
  const context = () => driver.kernel.models({ tenant: "default", key: null })[0]?.contextTokens;
  driver.step({ ...up, contextTokens: 4096 });
  assert.equal(context(), 4096);
  driver.step({ ...down, state: "up" });
  assert.equal(context(), 4096);
  driver.step(up);
  assert.equal(context(), null);
});

test("a snapshot holds it", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.step(up);
  const twin = Kernel.restore(driver.kernel.snapshot());
  assert.deepEqual(twin.backends(), driver.kernel.backends());
});

test("the journal holds it, and a replay comes to the same state", () => {
  const kernel = new Kernel();
  const writer = new JournalWriter();
  let text = "";
  const feed = (nowUs: number, event: Event): readonly Command[] => {
    const commands = kernel.step(nowUs, event);
    text += writer.lines(nowUs, event, { commands, kernel });
    return commands;
  };
  feed(0, { kind: "configured", wallMs: 0, config: configOf([backendOf("a")]), seed: "s" });
  feed(1, up);
  feed(2, down);
  const snapshot = JSON.stringify({ events: 3, digestState: [0, 0], snapshot: kernel.snapshot() });
  const replayer = new Replayer();
  for (const line of [...text.trimEnd().split("\n"), snapshot]) assert.ok(replayer.take(line), line);
  const { mismatch, compared } = replayer.result();
  assert.deepEqual([mismatch, compared], [null, 1]);
  assert.match(text, /"observation":\{"kind":"vllm"/);
});

test("a model's address goes with each send for it, and only then", () => {
  const address = { members: { lora: '[{"id":0,"scale":1}]' }, headers: { "x-data-parallel-rank": "1" } };
  const models = { plain: "base", support: "base" };
  const driver = new Driver(
    configOf([backendOf("a", { models, addresses: { support: address }, maxConcurrent: null })]),
  );
  const editsOf = (requestId: string, model: string): unknown =>
    driver.arrive(requestId, { model }).find((command) => command.kind === "send")?.edits;
  assert.deepEqual(editsOf("1", "support"), { model: "base", forceUsage: true, address });
  assert.deepEqual(editsOf("2", "plain"), { model: "base", forceUsage: true });
});
