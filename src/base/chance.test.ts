import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Chance } from "./chance.ts";

test("a stream's first values never change: recorded simulations depend on them", () => {
  const stream = new Chance("seed", "purpose");
  const drawn = Array.from({ length: 4 }, () => stream.next());
  assert.deepEqual(drawn, [2_632_091_594, 2_137_582_495, 2_099_145_831, 560_066_447]);
  const dice = new Chance(7, "traffic");
  assert.deepEqual(
    Array.from({ length: 8 }, () => dice.integer(1, 6)),
    [3, 1, 2, 6, 5, 5, 1, 4],
  );
});

test("seeds and purposes give streams of their own", () => {
  const firsts = ["a/x", "a/y", "b/x", "b/y"].map((name) => {
    const [seed = "", purpose = ""] = name.split("/");
    return new Chance(seed, purpose).next();
  });
  assert.equal(new Set(firsts).size, 4);
});

test("an integer is in its range, both ends included, and the range is checked", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: -1e9, max: 1e9 }), fc.nat(2 ** 31), (seed, low, span) => {
      const drawn = new Chance(seed, "range").integer(low, low + span);
      assert.ok(Number.isInteger(drawn) && drawn >= low && drawn <= low + span);
    }),
  );
  const chance = new Chance(1, "ends");
  assert.equal(new Set(Array.from({ length: 200 }, () => chance.integer(0, 3))).size, 4);
  assert.throws(() => chance.integer(2, 1), /bad range/);
  assert.throws(() => chance.integer(0, 2 ** 32), /wider than 32 bits/);
  assert.throws(() => chance.pick([]), /pick from nothing/);
});

test("odds come out about as often as they say, never and always included", () => {
  const chance = new Chance(1, "odds");
  const hits = Array.from({ length: 10_000 }, () => chance.odds(1, 4)).filter(Boolean).length;
  assert.ok(hits > 2_300 && hits < 2_700, String(hits));
  assert.ok(!chance.odds(0, 10) && chance.odds(10, 10));
});
