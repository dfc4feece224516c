import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chooseLeavers, type Member, MemoryGovernor } from "./memory-governor.ts";

const none: ReadonlySet<never> = new Set();

test("the one used longest ago leaves, and those with requests last", () => {
  const old = { bytes: 4, usedAtMs: 1, isBusy: true };
  const middle = { bytes: 4, usedAtMs: 2, isBusy: false };
  const young = { bytes: 4, usedAtMs: 3, isBusy: false };
  const need = (wantedBytes: number) => ({ wantedBytes, limitBytes: 13, leaving: none });
  assert.deepEqual(chooseLeavers([old, middle, young], need(1)), []);
  assert.deepEqual(chooseLeavers([old, middle, young], need(5)), [middle]);
  assert.deepEqual(chooseLeavers([old, middle, young], need(9)), [middle, young]);
  assert.deepEqual(chooseLeavers([old, middle, young], need(13)), [middle, young, old]);
});

/** A model that leaves when it is told to, once its requests have ended. */
function member(governor: MemoryGovernor, bytes: number) {
  const self = {
    bytes,
    usedAtMs: 0,
    isBusy: false,
    wasReclaimed: false,
    reclaim() {
      self.wasReclaimed = true;
      if (!self.isBusy) governor.leave(self);
    },
    done() {
      self.isBusy = false;
      if (self.wasReclaimed) governor.leave(self);
    },
  };
  return self satisfies Member;
}

test("a model waits for one with requests, and those that come later wait behind it", async () => {
  const governor = new MemoryGovernor(10);
  const [one, two, small] = [member(governor, 8), member(governor, 8), member(governor, 1)];
  assert.ok(governor.tryAdmit(one));
  one.isBusy = true;
  const order: string[] = [];
  const second = governor.admit(two).then(() => order.push("two"));
  const third = governor.admit(small).then(() => order.push("small"));
  assert.ok(one.wasReclaimed && governor.usedBytes === 8);
  assert.ok(!governor.tryAdmit(member(governor, 1)), "nobody overtakes");
  one.done();
  await Promise.all([second, third]);
  assert.deepEqual(order, ["two", "small"]);
  assert.equal(governor.usedBytes, 9);
});

test("one that gives up lets the next in", async () => {
  const governor = new MemoryGovernor(10);
  const [one, two, three] = [member(governor, 10), member(governor, 10), member(governor, 10)];
  one.isBusy = true;
  assert.ok(governor.tryAdmit(one));
  void governor.admit(two);
  const third = governor.admit(three);
  governor.leave(two);
  one.done();
  await third;
  assert.equal(governor.usedBytes, 10);
});

test("whatever is asked for, the limit holds, and everyone gets in who waits long enough", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 10 }), fc.boolean()), { maxLength: 30 }),
      async (asks) => {
        const governor = new MemoryGovernor(10);
        const members = asks.map(([bytes, isBusy], index) => ({
          isBusy,
          model: member(governor, bytes),
          index,
        }));
        const inside: ReturnType<typeof member>[] = [];
        const admitted = members.map(async ({ model, isBusy, index }) => {
          await governor.admit(model);
          model.usedAtMs = index;
          model.isBusy = isBusy;
          inside.push(model);
          assert.ok(governor.usedBytes <= 10);
          // Its requests end by themselves; a reclaim that came before it was known to be busy has freed it already.
          await Promise.resolve();
          model.done();
        });
        await Promise.all(admitted);
        assert.equal(inside.length, asks.length);
        assert.ok(governor.usedBytes <= 10);
      },
    ),
    { numRuns: 200 },
  );
});
