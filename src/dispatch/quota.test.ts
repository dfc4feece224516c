import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bucket, bucketsOf, type Quota, readyUs, settleTokens, take } from "./quota.ts";

const NONE: Quota = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestsPerDay: null,
  tokensPerDay: null,
  assumedOutputTokens: 100,
};
const of = (given: Partial<Quota>, before: readonly Bucket[] = [], nowUs = 0): Bucket[] =>
  bucketsOf({ ...NONE, ...given }, before, nowUs);
const MINUTE_US = 60_000_000;

test("without limits everything goes at once", () => {
  assert.deepEqual(bucketsOf(null, [], 0), []);
  assert.equal(readyUs(of({}), 1_000_000_000, 7), 7);
});

test("a bucket is full at first, refills evenly, and the time that it names is the first at which it lets go", () => {
  const buckets = of({ requestsPerMinute: 3 });
  for (let count = 0; count < 3; count += 1) {
    assert.equal(readyUs(buckets, 5, 1_000), 1_000);
    take(buckets, 5, 1_000);
  }
  const ready = readyUs(buckets, 5, 1_000);
  assert.equal(ready, 1_000 + MINUTE_US / 3);
  assert.ok(readyUs(buckets, 5, ready - 1) === ready && readyUs(buckets, 5, ready) === ready);
});

test("the limit that lets go last decides", () => {
  const buckets = of({ requestsPerMinute: 60, tokensPerDay: 1_000 });
  take(buckets, 1_000, 0);
  assert.equal(readyUs(buckets, 1, 0), 86_400_000);
});

test("what was taken and not used is given back, what was used besides is owed, and no bucket is more than full", () => {
  const buckets = of({ tokensPerMinute: 600 });
  settleTokens(buckets, { charges: take(buckets, 500, 0), used: 100 }, 0);
  assert.equal(readyUs(buckets, 500, 0), 0);
  settleTokens(buckets, { charges: take(buckets, 500, 0), used: 1_100 }, 0);
  assert.equal(readyUs(buckets, 1, 0), (MINUTE_US / 600) * 601);
  settleTokens(buckets, { charges: [{ windowUs: MINUTE_US, tokens: 5_000 }], used: 0 }, 0);
  assert.equal(buckets[0]?.level, 600);
});

test("a request that is larger than the limit takes a full bucket, and owes what it used besides", () => {
  const buckets = of({ tokensPerMinute: 600 });
  take(buckets, 60, 0);
  assert.equal(readyUs(buckets, 1_000, 0), MINUTE_US / 10);
  const charges = take(buckets, 1_000, MINUTE_US / 10);
  assert.deepEqual([buckets[0]?.level, charges], [0, [{ windowUs: MINUTE_US, tokens: 600 }]]);
  settleTokens(buckets, { charges, used: 900 }, MINUTE_US / 10);
  assert.equal(buckets[0]?.level, -300);
});

test("a bucket that came after the send is not settled by it", () => {
  const before = of({ tokensPerMinute: 600 });
  const charges = take(before, 100, 0);
  const after = of({ tokensPerMinute: 600, tokensPerDay: 600 }, before);
  settleTokens(after, { charges, used: 300 }, 0);
  assert.deepEqual(
    after.map(({ level }) => level),
    [300, 600],
  );
});

test("a new limit keeps what was used, and a time that no number holds is the last one", () => {
  const buckets = of({ requestsPerMinute: 10 });
  take(buckets, 0, 0);
  assert.equal(of({ requestsPerMinute: 20 }, buckets, 0)[0]?.level, 9);
  assert.equal(of({ requestsPerMinute: 5 }, buckets, 0)[0]?.level, 5);
  const small = of({ tokensPerDay: 1 });
  settleTokens(small, { charges: take(small, 1, 0), used: 10 ** 12 }, 0);
  assert.equal(readyUs(small, 1, 0), Number.MAX_SAFE_INTEGER);
});

test("looking does not change what is granted, however often and whenever", () => {
  const limits = fc.integer({ min: 1, max: 10_000_000 });
  const looks = fc.array(fc.integer({ min: 0, max: 90_000_000_000 }), { maxLength: 8 });
  fc.assert(
    fc.property(limits, fc.nat(20_000_000), looks, (limit, tokens, gaps) => {
      const [seen, unseen] = [
        of({ tokensPerMinute: limit, tokensPerDay: limit }),
        of({ tokensPerMinute: limit, tokensPerDay: limit }),
      ];
      take(seen, tokens, 0);
      take(unseen, tokens, 0);
      let nowUs = 0;
      for (const gap of gaps) {
        nowUs += gap;
        readyUs(seen, 1, nowUs);
      }
      assert.equal(readyUs(seen, limit, nowUs), readyUs(unseen, limit, nowUs));
      assert.deepEqual(seen, unseen);
    }),
  );
});

test("over any stretch of time no more is let go than a full bucket and what refills meanwhile", () => {
  const asks = fc.array(fc.record({ gapUs: fc.nat(2 * MINUTE_US), tokens: fc.integer({ min: 1, max: 50 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.integer({ min: 50, max: 500 }), asks, (limit, list) => {
      const buckets = of({ tokensPerMinute: limit });
      const taken: { atUs: number; tokens: number }[] = [];
      let nowUs = 0;
      for (const { gapUs, tokens } of list) {
        nowUs += gapUs;
        if (readyUs(buckets, tokens, nowUs) > nowUs) continue;
        take(buckets, tokens, nowUs);
        taken.push({ atUs: nowUs, tokens });
      }
      for (const [first, { atUs: fromUs }] of taken.entries()) {
        let sum = 0;
        for (const { atUs, tokens } of taken.slice(first)) {
          sum += tokens;
          assert.ok(sum <= limit + (limit * (atUs - fromUs)) / MINUTE_US);
        }
      }
    }),
  );
});
