import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TimeHeap } from "./heap.ts";

function drain<T>(heap: TimeHeap<T>): { readonly atUs: number; readonly value: T }[] {
  const all: { readonly atUs: number; readonly value: T }[] = [];
  for (let next = heap.pop(); next !== null; next = heap.pop()) all.push(next);
  return all;
}

test("values come out by time, equal times in the order in which they went in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (times) => {
      const heap = new TimeHeap<number>();
      times.forEach((atUs, index) => heap.push(atUs, index));
      const expected = times.map((atUs, value) => ({ atUs, value })).toSorted((a, b) => a.atUs - b.atUs);
      assert.deepEqual(drain(heap), expected);
    }),
  );
});

test("pushes between pops keep the order", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(9))), (steps) => {
      const heap = new TimeHeap<number>();
      const model: { atUs: number; value: number }[] = [];
      for (const [value, atUs] of steps.entries()) {
        if (atUs === null) {
          const earliest = model.toSorted((a, b) => a.atUs - b.atUs || a.value - b.value)[0] ?? null;
          assert.equal(heap.peekUs(), earliest?.atUs ?? null);
          assert.deepEqual(heap.pop(), earliest);
          if (earliest !== null) model.splice(model.indexOf(earliest), 1);
        } else {
          heap.push(atUs, value);
          model.push({ atUs, value });
        }
        assert.equal(heap.size, model.length);
      }
    }),
  );
});

test("a time that is not a whole number is refused", () => {
  assert.throws(() => new TimeHeap<number>().push(0.5, 1), /integer microseconds/);
});
