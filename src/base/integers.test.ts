import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mulAddDiv, mulDivRound, natural } from "./integers.ts";

const factor = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER));
const divisor = fc.oneof(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.integer({ min: 1, max: 10 }));

test("mulDivRound is exact, half up, against big integers, or throws when the result does not fit", () => {
  fc.assert(
    fc.property(factor, factor, divisor, (a, b, by) => {
      const exact = (2n * BigInt(a) * BigInt(b) + BigInt(by)) / (2n * BigInt(by));
      if (exact > BigInt(Number.MAX_SAFE_INTEGER)) assert.throws(() => mulDivRound(a, b, by), /does not fit/);
      else assert.equal(mulDivRound(a, b, by), Number(exact));
    }),
    { numRuns: 2_000 },
  );
});

test("mulDivRound rounds once where floats would go astray, near and beyond 2^53", () => {
  const near = fc.integer({ min: 2 ** 52, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(near, fc.integer({ min: 1, max: 64 }), (a, by) => {
      assert.equal(BigInt(mulDivRound(a, 1, by)), (2n * BigInt(a) + BigInt(by)) / (2n * BigInt(by)));
    }),
    { numRuns: 2_000 },
  );
  assert.equal(mulDivRound(1, 1, 2), 1);
  assert.equal(mulDivRound(1, 1, 3), 0);
});

test("what is not a whole number from zero up is refused", () => {
  for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => mulDivRound(bad, 1, 1), /bad factor/);
    assert.throws(() => mulDivRound(1, bad, 1), /bad factor/);
    assert.throws(() => natural(bad, "count"), /count must be/);
  }
  assert.throws(() => mulDivRound(1, 1, 0), /bad divisor/);
  assert.equal(natural(3, "count"), 3);
});

test("mulAddDiv is exact with its rest, and saturates", () => {
  const sizes = fc.record({ a: fc.maxSafeNat(), b: fc.maxSafeNat(), add: fc.maxSafeNat() });
  fc.assert(
    fc.property(sizes, divisor, ({ a, b, add }, by) => {
      const exact = BigInt(a) * BigInt(b) + BigInt(add);
      const { quotient, rest } = mulAddDiv({ a, b, add }, by);
      const whole = exact / BigInt(by);
      assert.equal(quotient, whole > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(whole));
      assert.equal(rest, Number(exact % BigInt(by)));
    }),
  );
  assert.deepEqual(mulAddDiv({ a: 1, b: 5, add: -3 }, 2), { quotient: 1, rest: 0 });
  assert.throws(() => mulAddDiv({ a: 1, b: 1, add: -3 }, 2));
});
