import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { receiptOf } from "../../test/fakes/receipt.ts";
import type { Figure, Receipt } from "./receipt.ts";
import { addToRun, heldOf, newRunRecord, type RunRecord } from "./run-record.ts";
import { NO_RUN_LIMITS, tighten } from "./run.ts";

const limit = fc.option(fc.integer({ min: 1, max: 9 }), { nil: null });
const limits = fc.record({
  maxSteps: limit,
  maxTokens: limit,
  maxCostNanoUsd: limit,
  maxEnergyMilliJoules: limit,
  maxWallMs: limit,
  maxSameCalls: limit,
});

/** A figure that is known, known in part, or unknown. */
const figure = fc
  .record({ value: fc.option(fc.nat(1000), { nil: null }), isWhole: fc.boolean() })
  .map(({ value, isWhole }): Figure => ({
    value,
    method: value === null ? "unknown" : "default",
    boundary: "request",
    low: value,
    high: isWhole ? value : null,
    final: true,
  }));

const receipt = fc
  .record({
    step: fc.option(fc.integer({ min: 1, max: 50 }), { nil: null }),
    runLimits: fc.option(limits, { nil: null }),
    backendId: fc.option(fc.constant("a"), { nil: null }),
    input: figure,
    output: figure,
    costNanoUsd: figure,
    energyMilliJoules: figure,
    arrivedWallMs: fc.nat(100_000),
  })
  .map(({ input, output, ...given }): Receipt => {
    const plain = receiptOf("r");
    return { ...plain, ...given, runId: "run", tokens: { ...plain.tokens, input, output } };
  });

function fold(receipts: readonly Receipt[]): RunRecord {
  const record = newRunRecord();
  for (const each of receipts) addToRun(record, each);
  return record;
}

test("a run's record does not depend on the order of its receipts", () => {
  fc.assert(
    fc.property(fc.array(receipt), fc.infiniteStream(fc.nat()), (receipts, order) => {
      const keys = receipts.map(() => order.next().value as number);
      const shuffled = receipts.toSorted((a, b) => (keys[receipts.indexOf(a)] ?? 0) - (keys[receipts.indexOf(b)] ?? 0));
      assert.deepEqual(fold(shuffled), fold(receipts));
    }),
  );
});

test("what is unknown counts as unknown, its known part is summed, and a limit holds it at the largest known step", () => {
  const whole: Figure = { value: 30, method: "price_list", boundary: "request", low: 30, high: 30, final: true };
  const plain = { ...receiptOf("r"), runId: "run" };
  const record = fold([
    { ...plain, step: 1, costNanoUsd: whole },
    { ...plain, step: 2, costNanoUsd: { ...whole, value: 10, low: 10, high: null } },
    { ...plain, step: 3, costNanoUsd: { ...whole, value: null, low: null, high: null, method: "unknown" } },
  ]);
  assert.deepEqual(record.totals.costNanoUsd, { value: 40, unknownSteps: 2, largest: 30 });
  assert.equal(heldOf(record.totals.costNanoUsd), 100);
  assert.deepEqual(record.totals.tokens, { value: 90, unknownSteps: 0, largest: 30 });
  assert.equal(record.steps, 3);
});

test("a call that its run refused is no step, but what it asked for goes on to hold", () => {
  const refused = { ...receiptOf("r"), runId: "run", step: null, backendId: null, arrivedWallMs: 5 };
  const record = fold([{ ...refused, runLimits: { ...NO_RUN_LIMITS, maxSteps: 3 } }]);
  assert.deepEqual(record, { ...newRunRecord(), limits: { ...NO_RUN_LIMITS, maxSteps: 3 } });
});

test("a step that was never sent used nothing, and that is known", () => {
  const unsent = { ...receiptOf("r"), runId: "run", step: 1, backendId: null, arrivedWallMs: 1_000 };
  const { totals, firstWallMs, lastWallMs } = fold([
    { ...unsent, time: { ...unsent.time, e2eUs: { ...unsent.time.e2eUs, value: 2_500_999 } } },
  ]);
  assert.deepEqual(totals, newRunRecord().totals);
  assert.deepEqual([firstWallMs, lastWallMs], [1_000, 3_500]);
});

test("tightening never loosens, and the order of those who tighten does not matter", () => {
  fc.assert(
    fc.property(limits, limits, (one, other) => {
      const both = tighten(one, other);
      assert.deepEqual(both, tighten(other, one));
      for (const key of Object.keys(NO_RUN_LIMITS) as (keyof typeof both)[]) {
        assert.ok(
          (both[key] ?? Infinity) <= (one[key] ?? Infinity) && (both[key] ?? Infinity) <= (other[key] ?? Infinity),
        );
        assert.ok(both[key] === one[key] || both[key] === other[key]);
      }
      assert.deepEqual(tighten(one, NO_RUN_LIMITS), { ...one });
    }),
  );
});
