import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UNKNOWN_USAGE, type Usage } from "../base/job.ts";
import { carbonMicrograms, electricityLine, reportedLine, tokenCostLines, type TokenPrice } from "./money.ts";

const price = fc.record({
  inputNanoUsdPerMillion: fc.nat(),
  cachedInputNanoUsdPerMillion: fc.option(fc.nat()),
  cacheWriteNanoUsdPerMillion: fc.option(fc.nat()),
  outputNanoUsdPerMillion: fc.nat(),
  reasoningNanoUsdPerMillion: fc.option(fc.nat()),
});
const count = fc.nat(2_000_000);
const usage: fc.Arbitrary<Usage> = fc.record({
  inputTokens: count,
  cachedInputTokens: fc.option(count),
  cacheWriteTokens: fc.option(count),
  outputTokens: count,
  reasoningTokens: fc.option(count),
  reportedCostNanoUsd: fc.constant(null),
  method: fc.constant("provider_reported" as const),
});

test("every token is on exactly one line of its side, and each line is rounded once", () => {
  fc.assert(
    fc.property(usage, price, (used, list) => {
      const lines = tokenCostLines(used, list) ?? [];
      const total = (...items: string[]): number =>
        lines.filter((line) => items.includes(line.item)).reduce((sum, line) => sum + line.quantity, 0);
      assert.equal(total("input", "cached_input", "cache_write"), used.inputTokens);
      assert.equal(total("output", "reasoning"), used.outputTokens);
      for (const line of lines) {
        const doubled = 2n * BigInt(line.quantity) * BigInt(line.priceNanoUsd ?? 0);
        assert.equal(BigInt(line.amountNanoUsd), (doubled + 1_000_000n) / 2_000_000n);
      }
    }),
  );
});

test("cached and reasoning tokens have lines of their own only where they have a price", () => {
  const list: TokenPrice = {
    inputNanoUsdPerMillion: 1_000_000,
    cachedInputNanoUsdPerMillion: 100_000,
    cacheWriteNanoUsdPerMillion: null,
    outputNanoUsdPerMillion: 2_000_000,
    reasoningNanoUsdPerMillion: null,
  };
  const used: Usage = {
    ...UNKNOWN_USAGE,
    inputTokens: 10,
    cachedInputTokens: 4,
    outputTokens: 6,
    reasoningTokens: 5,
    method: "provider_reported",
  };
  const brief = (given: Usage): unknown => tokenCostLines(given, list)?.map((line) => [line.item, line.quantity]);
  assert.deepEqual(brief(used), [
    ["input", 6],
    ["cached_input", 4],
    ["output", 6],
  ]);
  // More cached than there are is somebody's miscount; nobody is paid for it.
  assert.deepEqual(brief({ ...used, cachedInputTokens: 99 }), [
    ["input", 0],
    ["cached_input", 10],
    ["output", 6],
  ]);
});

test("what was written to a cache is charged as input unless it has a price", () => {
  const list = { inputNanoUsdPerMillion: 1_000_000, outputNanoUsdPerMillion: 0 };
  const dear: TokenPrice = {
    ...list,
    cachedInputNanoUsdPerMillion: 100_000,
    cacheWriteNanoUsdPerMillion: 1_250_000,
    reasoningNanoUsdPerMillion: null,
  };
  const used: Usage = { ...UNKNOWN_USAGE, inputTokens: 20, cachedInputTokens: 5, cacheWriteTokens: 8, outputTokens: 0 };
  const brief = (given: TokenPrice): unknown =>
    tokenCostLines(used, given)?.map((line) => [line.item, line.quantity, line.amountNanoUsd]);
  assert.deepEqual(brief(dear), [
    ["input", 7, 7],
    ["cached_input", 5, 1],
    ["cache_write", 8, 10],
    ["output", 0, 0],
  ]);
  assert.deepEqual(brief({ ...dear, cacheWriteNanoUsdPerMillion: null }), [
    ["input", 15, 15],
    ["cached_input", 5, 1],
    ["output", 0, 0],
  ]);
});

test("half a bill is no bill: an unknown count gives none, an explicit zero a bill of zero", () => {
  const list = { inputNanoUsdPerMillion: 1, outputNanoUsdPerMillion: 1 };
  const unpriced = { cachedInputNanoUsdPerMillion: null, cacheWriteNanoUsdPerMillion: null };
  const full = { ...list, ...unpriced, reasoningNanoUsdPerMillion: null };
  assert.equal(tokenCostLines(UNKNOWN_USAGE, full), null);
  assert.equal(tokenCostLines({ ...UNKNOWN_USAGE, inputTokens: 5 }, full), null);
  const zero = tokenCostLines({ ...UNKNOWN_USAGE, inputTokens: 0, outputTokens: 0 }, full);
  assert.deepEqual(
    zero?.map((line) => line.amountNanoUsd),
    [0, 0],
  );
});

test("electricity and carbon are by the kilowatt-hour, a reported cost is itself", () => {
  const kilowattHour = 3_600_000_000;
  assert.equal(electricityLine(kilowattHour, 250_000_000).amountNanoUsd, 250_000_000);
  assert.equal(electricityLine(1, 250_000_000).amountNanoUsd, 0);
  assert.equal(carbonMicrograms(kilowattHour, 400_000), 400_000_000);
  assert.equal(reportedLine(42).amountNanoUsd, 42);
});
