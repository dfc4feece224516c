import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS, NO_FAULTS } from "./faults.ts";
import { simulate } from "./run.ts";

const SEEDS = Array.from({ length: 30 }, (_, index) => `hold-${index}`);

test("with faults and then without, every rule holds over 30 seeds, and every kind of fault and limit is met", () => {
  const met = new Set<string>();
  const codes = new Set<string>();
  let completed = 0;
  let fallbacks = 0;
  let stale = 0;
  for (const seed of SEEDS) {
    const { stats } = simulate({ seed, requests: 600 });
    for (const fault of Object.keys(stats.faults)) met.add(fault);
    for (const code of Object.keys(stats.ended)) codes.add(code);
    completed += stats.ended["completed"] ?? 0;
    fallbacks += stats.fallbacks;
    stale += stats.staleEvents;
    assert.equal(stats.requests, 600);
  }
  assert.deepEqual([...met].toSorted(), FAULTS.toSorted());
  for (const code of ["run_limit_exceeded", "run_limit_unknown", "run_loop_detected"]) assert.ok(codes.has(code), code);
  assert.ok(completed > 3_000 && fallbacks > 500 && stale > 500, `${completed}, ${fallbacks}, ${stale}`);
});

test("equal seeds give equal runs, others give others", () => {
  const seeds = ["a", "b", "c", "d"];
  const first = seeds.map((seed) => simulate({ seed, requests: 500 }));
  const second = seeds.map((seed) => simulate({ seed, requests: 500 }));
  assert.deepEqual(
    first.map(({ digest, stats }) => [digest, { ...stats }]),
    second.map(({ digest, stats }) => [digest, { ...stats }]),
  );
  assert.equal(new Set(first.map(({ digest }) => digest)).size, seeds.length);
});

test("a run without any fault ends every request in one process without a stale event", () => {
  for (const seed of ["calm-0", "calm-1", "calm-2"]) {
    const { stats } = simulate({ seed, requests: 800, faults: NO_FAULTS });
    const ended = Object.values(stats.ended).reduce((sum, count) => sum + count, 0);
    assert.equal(ended, 800);
    assert.deepEqual([stats.processes, stats.staleEvents, stats.lostInCrash], [1, 0, 0]);
    for (const code of Object.keys(stats.ended)) {
      assert.doesNotMatch(code, /broken|connect|error|unauthorized/, `${code} without a fault`);
    }
  }
});

test("a fault that is switched off does not happen", () => {
  const { stats } = simulate({ seed: "one", requests: 500, faults: { ...NO_FAULTS, refused: 300 } });
  assert.deepEqual(Object.keys(stats.faults), ["refused"]);
  assert.ok((stats.faults["refused"] ?? 0) > 20);
});

test("what a crash of the process may lose is only what was not reported durable", () => {
  let processes = 0;
  let lost = 0;
  for (let index = 0; index < 10; index += 1) {
    const { stats } = simulate({
      seed: `crash-${index}`,
      requests: 500,
      faults: { processCrash: 200, commitSlow: 300 },
    });
    const ended = Object.values(stats.ended).reduce((sum, count) => sum + count, 0);
    assert.equal(ended + stats.lostInCrash, 500);
    processes += stats.processes;
    lost += stats.lostInCrash;
  }
  assert.ok(processes > 30 && lost > 100, `${processes} processes, ${lost} requests lost`);
});
