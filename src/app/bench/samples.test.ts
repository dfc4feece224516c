import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Buckets } from "./buckets.ts";
import { percentile, Samples } from "./samples.ts";

const latencies = fc.array(fc.double({ min: 0, max: 4_000_000, noNaN: true }), { minLength: 1, maxLength: 3000 });

test("a percentile is the smallest value that so many in a hundred do not exceed", () => {
  fc.assert(
    fc.property(latencies, fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const value = percentile(Float64Array.from(values).toSorted(), percent);
      const within = values.filter((each) => each <= value).length;
      const below = values.filter((each) => each < value).length;
      assert.ok(values.includes(value));
      assert.ok(within * 100 >= percent * values.length, "so many do not exceed it");
      assert.ok(below * 100 < percent * values.length, "and of no smaller value can this be said");
    }),
  );
});

test("the percentiles of one to a hundred are themselves", () => {
  const samples = new Samples();
  for (let value = 100; value >= 1; value -= 1) samples.add(value);
  assert.deepEqual(samples.summary(), { count: 100, mean: 50.5, min: 1, p50: 50, p90: 90, p99: 99, max: 100 });
});

test("nothing seen has no summary", () => {
  assert.equal(new Samples().summary(), null);
  assert.equal(new Buckets().summary(), null);
});

test("more values than the first room are all kept", () => {
  const samples = new Samples();
  for (let value = 0; value < 5000; value += 1) samples.add(value);
  assert.deepEqual([...samples.sorted()], [...Array(5000).keys()]);
});

test("buckets are right to within their width, and exact at the ends", () => {
  fc.assert(
    fc.property(latencies, (values) => {
      const buckets = new Buckets();
      const samples = new Samples();
      for (const value of values) {
        buckets.add(value);
        samples.add(value);
      }
      const [rough, exact] = [buckets.summary(), samples.summary()];
      assert.ok(rough !== null && exact !== null);
      assert.deepEqual([rough.count, rough.min, rough.max], [exact.count, exact.min, exact.max]);
      for (const name of ["p50", "p90", "p99"] as const) {
        assert.ok(Math.abs(rough[name] - exact[name]) <= exact[name] / 64 + 0.001, `${rough[name]} for ${exact[name]}`);
      }
    }),
  );
});
