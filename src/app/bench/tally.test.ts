import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Answer } from "./answer.ts";
import { type Ended, type Slo, Tally } from "./tally.ts";

const NO_SLO: Slo = { ttftMs: null, tpotMs: null, e2eMs: null };

/** A request due at 1000 with first content at 1000 + `ttft`, then `tpot` for each of the other tokens. */
function ended(ttft: number, tpot: number, tokens: number): Ended {
  const answer: Answer = {
    failure: null,
    firstMs: 1000 + ttft,
    inputTokens: 10,
    outputTokens: tokens,
    outputBy: "usage",
  };
  return { dueMs: 1000, endMs: 1000 + ttft + tpot * (tokens - 1), answer };
}

test("latencies count from when the request was due", () => {
  const tally = new Tally(NO_SLO);
  tally.ended(ended(50, 8, 11));
  const seen = [tally.ttft, tally.tpot, tally.e2e].map((samples) => samples.summary()?.p50);
  assert.deepEqual(seen, [50, 8, 130]);
});

test("goodput counts what met every objective that was given, at the limit too", () => {
  const limits = fc.option(fc.integer({ min: 0, max: 100 }), { nil: null });
  const requests = fc.array(fc.tuple(fc.nat(100), fc.nat(100), fc.integer({ min: 1, max: 9 })));
  fc.assert(
    fc.property(fc.record({ ttftMs: limits, tpotMs: limits, e2eMs: limits }), requests, (slo, all) => {
      const tally = new Tally(slo);
      const asked = slo.ttftMs !== null || slo.tpotMs !== null || slo.e2eMs !== null;
      let good = 0;
      let useful = 0;
      for (const [ttft, tpot, tokens] of all) {
        const meets =
          asked &&
          ttft <= (slo.ttftMs ?? Infinity) &&
          (tokens === 1 || tpot <= (slo.tpotMs ?? Infinity)) &&
          ttft + tpot * (tokens - 1) <= (slo.e2eMs ?? Infinity);
        assert.equal(tally.ended(ended(ttft, tpot, tokens)), meets);
        if (meets) [good, useful] = [good + 1, useful + tokens];
      }
      assert.deepEqual([tally.good, tally.useful.tokens, tally.completed], [good, useful, all.length]);
    }),
  );
});

test("a failure is no latency and meets no objective, and requests that were not sent are failures", () => {
  const tally = new Tally({ ...NO_SLO, e2eMs: 1e9 });
  const { answer, ...times } = ended(1, 1, 5);
  const failure = { code: "429 slow", message: "wait\n\u001b[31m a bit" };
  assert.equal(tally.ended({ ...times, answer: { ...answer, failure } }), false);
  tally.refused(7);
  tally.refused(7);
  assert.deepEqual([tally.completed, tally.failed, tally.notSent, tally.good], [0, 3, 2, 0]);
  assert.equal(tally.e2e.summary(), null);
  assert.deepEqual(
    [...tally.failures.values()].map(({ code, count, message }) => [code, count, message]),
    [
      ["429 slow", 1, "wait [31m a bit"],
      ["not_sent", 2, "7 requests were in flight already (--max-in-flight)"],
    ],
  );
});

test("without first content a TTFT objective is not met, and unknown tokens are not zero tokens", () => {
  const tally = new Tally({ ...NO_SLO, ttftMs: 1000 });
  const answer: Answer = { failure: null, firstMs: null, inputTokens: null, outputTokens: null, outputBy: "unknown" };
  assert.equal(tally.ended({ dueMs: 0, endMs: 1, answer }), false);
  assert.deepEqual(tally.output.requests, { usage: 0, chunks: 0, unknown: 1 });
});

test("an endpoint that makes up codes does not fill the memory", () => {
  const tally = new Tally(NO_SLO);
  const { answer, ...times } = ended(1, 1, 5);
  for (let index = 0; index < 1000; index += 1) {
    tally.ended({ ...times, answer: { ...answer, failure: { code: `made up ${index}`, message: "" } } });
  }
  assert.ok(tally.failures.size < 50);
  assert.equal(
    [...tally.failures.values()].reduce((sum, { count }) => sum + count, 0),
    1000,
  );
});
