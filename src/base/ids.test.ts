import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isUuid, uuidv7 } from "./ids.ts";

const wallMs = fc.nat(2 ** 48 - 1);
const random = fc.uint8Array({ minLength: 10, maxLength: 10 });

test("an id is a canonical UUID of version 7 whose first 48 bits are its time", () => {
  fc.assert(
    fc.property(wallMs, random, (ms, bytes) => {
      const id = uuidv7(ms, bytes);
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.ok(isUuid(id));
      assert.equal(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16), ms);
    }),
  );
});

test("ids sort as text by their time", () => {
  fc.assert(
    fc.property(fc.tuple(wallMs, random), fc.tuple(wallMs, random), (a, b) => {
      fc.pre(a[0] !== b[0]);
      assert.equal(uuidv7(...a) < uuidv7(...b), a[0] < b[0]);
    }),
  );
});

test("all 74 random bits are in the id, from the offset on", () => {
  const bytes = new Uint8Array([99, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6]);
  assert.equal(uuidv7(0, bytes, 1), "00000000-0000-7fff-bfff-010203040506");
  assert.throws(() => uuidv7(0, bytes, 2), /ten random bytes/);
  assert.throws(() => uuidv7(-1, bytes), /bad wall time/);
});

test("only the canonical lower-case form is taken for a UUID", () => {
  assert.ok(isUuid("019b76da-a9ef-7d9b-af37-daae6acd5773"));
  for (const text of ["", "019B76DA-a9ef-7d9b-af37-daae6acd5773", "{019b76da-a9ef-7d9b-af37-daae6acd5773}"]) {
    assert.ok(!isUuid(text), text);
  }
});
