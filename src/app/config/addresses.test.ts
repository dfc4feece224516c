import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, loadConfig } from "./load.ts";

const load = (engine: string, entry: string) =>
  loadConfig(
    `version: 1\nbackends: {a: {engine: ${engine}, url: "http://127.0.0.1/v1", models: {m: ${entry}}}}`,
    "b.yaml",
  );

function kernelOf(engine: string, entry: string) {
  const [backend] = load(engine, entry).config.kernel.backends;
  return { upstream: backend?.models?.["m"], address: backend?.addresses?.["m"] };
}

function problemsOf(engine: string, entry: string): string {
  try {
    load(engine, entry);
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
}

test("an adapter is named as each engine expects it", () => {
  assert.deepEqual(kernelOf("vllm", "{model: base, lora: support}"), { upstream: "support", address: undefined });
  assert.deepEqual(kernelOf("sglang", "{model: base, lora: support}"), {
    upstream: "base:support",
    address: undefined,
  });
  assert.deepEqual(kernelOf("tgi", "{model: base, lora: support}"), { upstream: "support", address: undefined });
  const scaled = { members: { lora: '[{"id":0,"scale":0.5}]' }, headers: {} };
  assert.deepEqual(kernelOf("llamacpp", "{model: base, lora: 0, loraScale: 0.5}"), {
    upstream: "base",
    address: scaled,
  });
  const whole = { members: { lora: '[{"id":1,"scale":1}]' }, headers: {} };
  assert.deepEqual(kernelOf("llamacpp", "{model: base, lora: 1}"), { upstream: "base", address: whole });
});

test("a data-parallel rank is named as each engine expects it", () => {
  const header = { members: {}, headers: { "x-data-parallel-rank": "3" } };
  assert.deepEqual(kernelOf("vllm", "{model: base, dataParallelRank: 3}"), { upstream: "base", address: header });
  const member = { members: { routed_dp_rank: "0" }, headers: {} };
  assert.deepEqual(kernelOf("sglang", "{model: base, dataParallelRank: 0}"), { upstream: "base", address: member });
});

test("an entry without either is a name like any other", () => {
  assert.deepEqual(kernelOf("openai", "{model: base}"), { upstream: "base", address: undefined });
  assert.equal(load("openai", "{model: base}").config.kernel.backends[0]?.addresses, undefined);
});

test("what an engine cannot be told is an error that says what to do", () => {
  assert.match(problemsOf("openai", "{model: base, lora: x}"), /openai cannot be told an adapter → write engine: vllm/);
  assert.match(problemsOf("auto", "{model: base, lora: x}"), /auto cannot be told an adapter/);
  assert.match(problemsOf("llamacpp", "{model: base, lora: x}"), /knows adapters by number/);
  assert.match(problemsOf("vllm", "{model: base, lora: 0}"), /knows adapters by name/);
  assert.match(problemsOf("vllm", "{model: base, lora: x, loraScale: 1}"), /only llamacpp takes an adapter's weight/);
  assert.match(problemsOf("llamacpp", "{model: base, dataParallelRank: 0}"), /llamacpp cannot be told a rank/);
});

test("the engine's kind goes to the adapter; a plain one has none", () => {
  const kindOf = (engine: string) => {
    const [made] = load(engine, "x").config.engines;
    return made?.kind === "openai" ? made.engineKind : null;
  };
  assert.deepEqual([kindOf("vllm"), kindOf("auto"), kindOf("openai")], ["vllm", "auto", undefined]);
});
