import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ARRIVAL_KINDS, type ArrivalPlan, Arrivals } from "./arrivals.ts";

const PLAN: ArrivalPlan = {
  kind: "poisson",
  ratePerSecond: 50,
  cv: 1,
  burst: 10,
  requests: 20_000,
  durationMs: null,
  seed: "7",
};

function timesOf(plan: ArrivalPlan): number[] {
  const arrivals = new Arrivals(plan);
  const times: number[] = [];
  for (let at = arrivals.next(); at !== null; at = arrivals.next()) times.push(at);
  assert.equal(arrivals.count, times.length);
  return times;
}

/** Mean gap in milliseconds and coefficient of variation. */
function gapsOf(times: readonly number[]): { mean: number; cv: number } {
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  return { mean, cv: Math.sqrt(variance) / mean };
}

function assertNear(value: number, wanted: number, share: number): void {
  assert.ok(Math.abs(value - wanted) <= wanted * share, `${value} is not within ${share * 100} % of ${wanted}`);
}

test("a seed gives the same schedule each time, never goes back, and another seed another one", () => {
  const plans = fc.record({
    kind: fc.constantFrom(...ARRIVAL_KINDS),
    ratePerSecond: fc.double({ min: 0.1, max: 5000, noNaN: true }),
    cv: fc.double({ min: 0.2, max: 4, noNaN: true }),
    burst: fc.integer({ min: 1, max: 30 }),
    requests: fc.integer({ min: 2, max: 200 }),
    durationMs: fc.constant(null),
    seed: fc.string(),
  });
  fc.assert(
    fc.property(plans, (plan) => {
      const times = timesOf(plan);
      assert.deepEqual(timesOf(plan), times);
      assert.equal(times.length, plan.requests);
      assert.ok(times.every((at, index) => Number.isFinite(at) && at >= (times[index - 1] ?? 0)));
      const other = timesOf({ ...plan, seed: `${plan.seed}x` });
      if (plan.kind === "poisson" || plan.kind === "gamma") assert.notDeepEqual(other, times);
      else assert.deepEqual(other, times);
    }),
  );
});

test("poisson gaps have the asked mean and a variation of one", () => {
  const { mean, cv } = gapsOf(timesOf(PLAN));
  assertNear(mean, 20, 0.03);
  assertNear(cv, 1, 0.03);
});

test("gamma gaps have the asked mean and variation, below one and above", () => {
  for (const asked of [0.25, 0.7, 1, 2, 3]) {
    const { mean, cv } = gapsOf(timesOf({ ...PLAN, kind: "gamma", cv: asked, requests: 60_000 }));
    assertNear(mean, 20, 0.05);
    assertNear(cv, asked, 0.05);
  }
});

test("constant arrivals are even, and bursts come together at the same mean rate", () => {
  assert.deepEqual(timesOf({ ...PLAN, kind: "constant", ratePerSecond: 4, requests: 4 }), [0, 250, 500, 750]);
  assert.deepEqual(
    timesOf({ ...PLAN, kind: "burst", ratePerSecond: 4, burst: 3, requests: 7 }),
    [0, 0, 0, 750, 750, 750, 1500],
  );
});

test("a duration ends the schedule before it, and the drawn rate counts the whole span", () => {
  const arrivals = new Arrivals({ ...PLAN, kind: "constant", requests: null, durationMs: 1000, ratePerSecond: 3 });
  const times = [arrivals.next(), arrivals.next(), arrivals.next(), arrivals.next()];
  assert.deepEqual(times, [0, 1000 / 3, 2000 / 3, null]);
  assert.equal(arrivals.spanMs, 1000);
  const counted = new Arrivals({ ...PLAN, kind: "burst", burst: 5, requests: 5, ratePerSecond: 10 });
  while (counted.next() !== null);
  assert.equal(counted.count / counted.spanMs, 10 / 1000);
});
