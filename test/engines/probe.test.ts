import assert from "node:assert/strict";
import { after, test } from "node:test";
import { OpenAiEngine } from "../../src/engines/openai.ts";
import type { EngineReport } from "../../src/ports/engine.ts";
import { FakeEngine, type Fault } from "./fake-engine.ts";
import { type Fixture, FIXTURES, newest, observationOf } from "./fixtures.ts";

const PLAIN = { speaks: ["chat", "completions"], onLoss: "refuse" } as const;
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
});

async function begin(
  fixture: Fixture,
  change: { readonly kind?: Fixture["kind"] | "auto"; readonly discoverModels?: boolean } = {},
) {
  const fake = await FakeEngine.start(fixture);
  const { kind = fixture.kind, discoverModels = true } = change;
  const options = {
    ...PLAIN,
    socketPath: null,
    key: "secret",
    headers: {},
    maxAnswerBytes: 1_000_000,
    discoverModels,
    kind,
  };
  const engine = new OpenAiEngine({ ...options, url: fake.baseUrl });
  closing.push(async () => {
    await engine.close();
    await fake.close();
  });
  return { fake, engine };
}

/** What is left of a report when one endpoint goes wrong. */
async function withFault(path: string, fault: Fault): Promise<EngineReport> {
  const { fake, engine } = await begin(newest("vllm"));
  fake.faults.set(path, fault);
  return engine.probe();
}

test("a probe by HTTP says what the reader says of the same texts", async () => {
  for (const fixture of FIXTURES.filter(({ kind }) => kind !== "openai")) {
    const { engine } = await begin(fixture);
    const { state, models, contextTokens, observation } = await engine.probe();
    assert.deepEqual(observation, observationOf(fixture), fixture.name);
    assert.deepEqual([state, contextTokens], ["up", observation?.contextTokens]);
    assert.ok((models?.length ?? 0) > 0);
  }
});

test("auto finds out each kind, and asks only its endpoints from then on", async () => {
  for (const fixture of FIXTURES) {
    const { fake, engine } = await begin(fixture, { kind: "auto" });
    assert.equal((await engine.probe()).observation?.kind, fixture.kind, fixture.name);
    const asked = fake.asked.splice(0).length;
    assert.deepEqual((await engine.probe()).observation, observationOf(fixture), fixture.name);
    assert.ok(fake.asked.length < asked, fixture.name);
  }
});

test("auto looks again when the server was down: another may stand there now", async () => {
  const { fake, engine } = await begin(newest("vllm"), { kind: "auto" });
  await engine.probe();
  fake.faults.set("/v1/models", "broken");
  assert.equal((await engine.probe()).state, "down");
  fake.faults.delete("/v1/models");
  fake.asked.length = 0;
  assert.equal((await engine.probe()).observation?.kind, "vllm");
  assert.ok(fake.asked.includes("/api/ps"));
});

test("an endpoint that is missing, garbled, huge or broken leaves the others' words", async () => {
  const faults: readonly Fault[] = [
    "missing",
    "garbage",
    "huge",
    "broken",
    { status: 500, body: "vllm:num_requests_running 1" },
  ];
  for (const fault of faults) {
    const { state, observation } = await withFault("/metrics", fault);
    assert.deepEqual(
      [state, observation?.version, observation?.running],
      ["up", "0.10.2", null],
      JSON.stringify(fault),
    );
    assert.equal(observation?.models?.length, 1);
  }
});

test("without a list of models a server is down, and says nothing", async () => {
  for (const fault of ["missing", "garbage", "huge", "broken"] as const) {
    assert.deepEqual(await withFault("/v1/models", fault), { state: "down", models: null, contextTokens: null });
  }
});

test("an endpoint that never answers is waited for in bounded time, and the others' words are kept", async () => {
  const { state, observation } = await withFault("/version", "silent");
  assert.deepEqual([state, observation?.version, observation?.running], ["up", null, 44]);
});

test("llama.cpp that loads its model is starting", async () => {
  const { fake, engine } = await begin(newest("llamacpp"));
  fake.faults.set("/health", {
    status: 503,
    body: '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
  });
  assert.equal((await engine.probe()).state, "starting");
});

test("TensorRT-LLM's iterations, which are taken away by reading, are asked for only without its metrics", async () => {
  const { fake, engine } = await begin(newest("trtllm"));
  await engine.probe();
  assert.ok(!fake.asked.includes("/metrics"));
});

test("the models' names are reported only where they are asked for, adapters too", async () => {
  const { engine } = await begin(newest("vllm"));
  assert.deepEqual((await engine.probe()).models, ["Qwen/Qwen3-0.6B", "small", "sql", "support"]);
  const quiet = await begin(newest("vllm"), { discoverModels: false });
  assert.equal((await quiet.engine.probe()).models, null);
});
