import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Offer } from "../base/offer.ts";
import { choose } from "./choose.ts";

const offer: fc.Arbitrary<Omit<Offer, "backendId">> = fc.record({
  inFlight: fc.nat(4),
  capacity: fc.option(fc.nat(4)),
  cooling: fc.boolean(),
  coolUntilUs: fc.nat(5),
  quotaReadyUs: fc.option(fc.nat(9)),
});
const offers = fc
  .array(offer, { maxLength: 6 })
  .map((list) => list.map((each, index) => ({ ...each, backendId: `b${index}` })));
const isFull = (each: Offer): boolean => each.capacity !== null && each.inFlight >= each.capacity;
const isFree = (each: Offer): boolean => !isFull(each) && each.quotaReadyUs === null;
const NEVER_SENT = (): number => 0;

function offerOf(backendId: string, given: Partial<Offer> = {}): Offer {
  return { backendId, inFlight: 0, capacity: null, cooling: false, coolUntilUs: 0, quotaReadyUs: null, ...given };
}

test("a free backend is chosen whenever there is one, waited for when all are full, none when there is none", () => {
  fc.assert(
    fc.property(offers, (list) => {
      const choice = choose(list, [], NEVER_SENT);
      const free = list.filter(isFree);
      assert.equal(choice.kind, free.length > 0 ? "chosen" : list.length > 0 ? "wait" : "none");
      if (choice.kind === "chosen") assert.ok(isFree(choice.offer));
      if (choice.kind !== "wait") return;
      const readyUs = list.flatMap((each) => (isFull(each) ? [] : (each.quotaReadyUs ?? [])));
      assert.deepEqual(
        [choice.isFull, choice.readyUs],
        [list.some(isFull), readyUs.length === 0 ? null : Math.min(...readyUs)],
      );
    }),
  );
});

test("every backend that is not chosen is excluded with one reason, after those that policy excluded", () => {
  fc.assert(
    fc.property(offers, (list) => {
      const before = [{ backendId: "p", reason: "model_not_served" }] as const;
      const choice = choose(list, before, NEVER_SENT);
      const expected = list.filter((each) => choice.kind !== "chosen" || each !== choice.offer);
      const names = choice.excluded.map((each) => each.backendId);
      assert.deepEqual(names.toSorted(), ["p", ...expected.map((each) => each.backendId)].toSorted());
      assert.equal(names[0], "p");
    }),
  );
});

test("no free backend that is up has fewer requests than the chosen one, and cooling ones come last", () => {
  fc.assert(
    fc.property(offers, (list) => {
      const choice = choose(list, [], NEVER_SENT);
      if (choice.kind !== "chosen") return;
      const up = list.filter((each) => isFree(each) && !each.cooling);
      assert.equal(choice.offer.cooling, up.length === 0);
      for (const other of up) assert.ok(choice.offer.inFlight <= other.inFlight);
    }),
  );
});

test("ties go to the fewest sends, then to the order of the configuration", () => {
  const list = [offerOf("a"), offerOf("b"), offerOf("c")];
  const chosen = (sends: Readonly<Record<string, number>>): unknown => {
    const choice = choose(list, [], ({ backendId }) => sends[backendId] ?? 0);
    return choice.kind === "chosen" ? choice.offer.backendId : null;
  };
  assert.equal(chosen({}), "a");
  assert.equal(chosen({ a: 2, b: 1, c: 1 }), "b");
});

test("when all cool down, the one whose cool-down ends first is tried", () => {
  const late = offerOf("late", { cooling: true, coolUntilUs: 9 });
  const soon = offerOf("soon", { cooling: true, coolUntilUs: 5, inFlight: 3 });
  const choice = choose([late, soon], [], NEVER_SENT);
  assert.equal(choice.kind === "chosen" && choice.offer.backendId, "soon");
  assert.deepEqual(choice.excluded, [{ backendId: "late", reason: "cooling_down" }]);
});
