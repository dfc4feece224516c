import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenAiEngineConfig } from "./config/types.ts";
import { EngineFleet } from "./engine-fleet.ts";

const openai = (backendId: string, change: Partial<OpenAiEngineConfig> = {}): OpenAiEngineConfig => ({
  kind: "openai",
  backendId,
  url: "http://127.0.0.1:9/v1",
  key: null,
  headers: {},
  discoverModels: false,
  speaks: ["chat", "completions"],
  onLoss: "refuse",
  modelsAreOptional: false,
  ...change,
});

function begin(env: Record<string, string> = {}) {
  const observed: string[] = [];
  const fleet = new EngineFleet({
    dataDir: "/nowhere",
    env,
    maxAnswerBytes: 1000,
    memoryLimitBytes: null,
    log: () => {},
    observe: (backendId, report) => observed.push(`${backendId} ${report.state}`),
  });
  const take = (...configs: readonly OpenAiEngineConfig[]) => fleet.install(fleet.prepare(configs));
  return { fleet, observed, take };
}

test("engines that are as they were stay, those that changed are replaced, and those that are gone are removed", async () => {
  const { fleet, take } = begin();
  assert.deepEqual(take(openai("a"), openai("b"), openai("c")), { added: ["a", "b", "c"], replaced: [], removed: [] });
  const before = new Map(fleet.engines);
  const changed = take(openai("a"), openai("b", { headers: { x: "1" } }), openai("d"));
  assert.deepEqual(changed, { added: ["d"], replaced: ["b"], removed: ["c"] });
  assert.equal(fleet.engines.get("a"), before.get("a"));
  assert.notEqual(fleet.engines.get("b"), before.get("b"));
  assert.deepEqual([...fleet.engines.keys()], ["a", "b", "d"]);
  await fleet.close();
});

test("a secret is read again, and another one makes another engine", async () => {
  const env = { KEY: "one" };
  const { fleet, take } = begin(env);
  const config = openai("a", { key: { env: "KEY" } });
  take(config);
  assert.deepEqual(take(config).replaced, []);
  env.KEY = "two";
  assert.deepEqual(take(config).replaced, ["a"]);
  await fleet.close();
});

test("a change that cannot be made changes nothing", async () => {
  const { fleet, take } = begin();
  take(openai("a"));
  const before = new Map(fleet.engines);
  assert.throws(() => fleet.prepare([openai("b"), openai("a", { key: { env: "UNSET" } })]), /UNSET is not set/);
  assert.deepEqual(fleet.engines, before);
  await fleet.close();
});

test("what is put into use is said to be up, unless another came meanwhile", async () => {
  const { fleet, observed, take } = begin();
  const first = fleet.prepare([openai("a")]);
  fleet.install(first);
  take(openai("a", { headers: { x: "1" } }));
  await fleet.report(first);
  assert.deepEqual(observed, []);
  const second = fleet.prepare([openai("a", { headers: { x: "2" } })]);
  fleet.install(second);
  await fleet.report(second);
  assert.deepEqual(observed, ["a up"]);
  await fleet.close();
});
