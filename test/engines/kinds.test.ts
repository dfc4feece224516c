import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ENGINE_KINDS, unknownObservation } from "../../src/base/engine-observation.ts";
import { Answers } from "../../src/engines/kinds/reader.ts";
import { detect, READERS, readerOf } from "../../src/engines/kinds/kinds.ts";
import { answersOf, FIXTURES, newest, observationOf, sourceOf } from "./fixtures.ts";

// What each reader makes of each fixture is a golden file: test/golden/golden.test.ts compares it.

test("every kind has a fixture, and every fixture says whence it is and whether it was recorded", () => {
  for (const kind of ENGINE_KINDS)
    assert.ok(
      FIXTURES.some((fixture) => fixture.kind === kind),
      kind,
    );
  for (const fixture of FIXTURES) assert.match(sourceOf(fixture), /recorded|reconstructed/i, fixture.name);
});

test("docs/engines.md has a row for every kind, and names the versions of its fixtures and that none was run live", () => {
  const doc = readFileSync(new URL("../../docs/engines.md", import.meta.url), "utf8");
  for (const kind of ENGINE_KINDS) {
    const row = doc.split("\n").find((line) => line.startsWith(`| \`${kind}\` | `) && line.split("|").length === 7);
    const cells = row?.split("|").map((cell) => cell.trim()) ?? [];
    const versions = FIXTURES.filter((fixture) => fixture.kind === kind).map(({ version }) => version);
    assert.deepEqual(cells[4]?.split(", ").toSorted(), versions.toSorted(), kind);
    if (kind !== "openai") assert.equal(cells[5], "never: fixtures only");
  }
});

test("each fixture is told from all other kinds", () => {
  for (const fixture of FIXTURES) {
    assert.equal(detect(answersOf(fixture))?.kind ?? "openai", fixture.kind, fixture.name);
  }
});

test("every figure is an exact integer, not negative, or null", () => {
  for (const fixture of FIXTURES) {
    for (const [name, value] of Object.entries(observationOf(fixture))) {
      if (typeof value === "number") assert.ok(Number.isSafeInteger(value) && value >= 0, `${fixture.name} ${name}`);
    }
  }
});

test("an engine that says nothing is unknown in everything but its kind", () => {
  for (const reader of READERS) {
    assert.deepEqual(reader.read(new Answers(new Map())), unknownObservation(reader.kind));
    assert.equal(reader.matches(new Answers(new Map())), false, reader.kind);
  }
});

test("without one of its endpoints an engine still says what the others know", () => {
  for (const fixture of FIXTURES) {
    const whole = observationOf(fixture);
    for (const path of fixture.bodies.keys()) {
      const bodies = new Map([...fixture.bodies].filter(([each]) => each !== path));
      const part = observationOf({ ...fixture, bodies });
      assert.equal(part.kind, fixture.kind);
      // The models' endpoint alone takes no load away, and the metrics' no models.
      if (path === "/v1/models") assert.equal(part.running, whole.running, fixture.name);
      if (path === "/metrics") assert.deepEqual(part.models?.length, whole.models?.length, fixture.name);
    }
  }
});

test("no answer makes a reader throw or say what is not of its type", () => {
  const bodies = FIXTURES.flatMap((fixture) => [...fixture.bodies]);
  const paths = [...new Set(bodies.map(([path]) => path)), "/models"];
  const body = fc.oneof(fc.constantFrom(...bodies.map(([, text]) => text)), fc.json(), fc.string());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...paths), body), (answered) => {
      const answers = new Answers(
        new Map(Object.entries(answered).map(([path, text]) => [path, { status: 200, body: text }])),
      );
      for (const reader of READERS) {
        reader.matches(answers);
        reader.starting?.(answers);
        for (const [name, value] of Object.entries(reader.read(answers))) {
          const isText = typeof value === "string" && (name === "kind" || name === "version");
          const isCount = Number.isSafeInteger(value) && (value as number) >= 0;
          assert.ok(
            value === null || isText || isCount || (name === "models" && Array.isArray(value)),
            `${reader.kind} ${name}`,
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("SGLang's ranks: repeated figures count once, priorities are not added, and loads win over metrics", () => {
  const metrics = FIXTURES.find(({ name }) => name === "sglang/0.5-metrics-alone");
  assert.ok(metrics !== undefined);
  const alone = observationOf(metrics);
  const loads = observationOf(newest("sglang"));
  assert.deepEqual(
    [alone.running, alone.waiting, alone.kvTotalTokens],
    [loads.running, loads.waiting, loads.kvTotalTokens],
  );
  assert.equal(alone.waitingUncachedTokens, null);
});

test("llama.cpp's word for loading is starting", () => {
  const loading = { status: 503, body: '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}' };
  const llamacpp = readerOf("llamacpp");
  assert.equal(llamacpp?.starting?.(new Answers(new Map([["/health", loading]]))), true);
  assert.equal(llamacpp?.starting?.(answersOf(newest("llamacpp"))), false);
});

test("values that are no number, infinite or negative are unknown", () => {
  const read = (line: string) =>
    readerOf("vllm")?.read(new Answers(new Map([["/metrics", { status: 200, body: `${line}\n` }]])));
  assert.equal(read("vllm:num_requests_running NaN")?.running, null);
  assert.equal(read("vllm:num_requests_running -1")?.running, null);
  assert.equal(read("vllm:num_requests_running +Inf")?.running, null);
  assert.equal(read("vllm:num_requests_running 0")?.running, 0);
  assert.equal(read("vllm:kv_cache_usage_perc 55")?.kvUsageMillionths, null);
  const config = (blocks: string) => read(`vllm:cache_config_info{block_size="16",num_gpu_blocks="${blocks}"} 1`);
  assert.deepEqual([config("None")?.kvTotalTokens, config("10")?.kvTotalTokens], [null, 160]);
});
