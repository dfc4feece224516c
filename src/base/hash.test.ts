import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Digest, digestOf, hash32 } from "./hash.ts";

test("the values never change: journals and seeds depend on them", () => {
  assert.deepEqual([digestOf(""), digestOf("baseload")], ["64fc2864ce5c755c", "f9c490f21166fef4"]);
  assert.deepEqual([hash32("baseload"), hash32("")], [2_951_944_364, 2_872_998_923]);
});

test("a digest tells texts, their order and their borders apart", () => {
  const of = (...texts: string[]): string => {
    const digest = new Digest();
    for (const text of texts) digest.add(text);
    return digest.hex();
  };
  const all = [of("ab"), of("a", "b"), of("b", "a"), of("ab", ""), of("", "ab"), of()];
  assert.equal(new Set(all).size, all.length);
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      fc.pre(a !== b);
      assert.notEqual(digestOf(a), digestOf(b));
    }),
  );
});

test("a digest goes on from its state", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.string()), (before, after) => {
      const whole = new Digest();
      for (const text of before) whole.add(text);
      const resumed = Digest.from(whole.state());
      for (const text of after) {
        whole.add(text);
        resumed.add(text);
      }
      assert.equal(resumed.hex(), whole.hex());
      assert.match(whole.hex(), /^[0-9a-f]{16}$/);
    }),
  );
});
