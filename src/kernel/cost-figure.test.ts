import assert from "node:assert/strict";
import { test } from "node:test";
import type { Receipt } from "../base/receipt.ts";
import { backendOf, configOf, Driver, reported, siteOf } from "../sim/driver.ts";
import type { BackendConfig, SiteConfig } from "./config.ts";

const PRICE = {
  inputNanoUsdPerMillion: 2_000_000_000,
  cachedInputNanoUsdPerMillion: null,
  cacheWriteNanoUsdPerMillion: null,
  outputNanoUsdPerMillion: 8_000_000_000,
  reasoningNanoUsdPerMillion: null,
};
const GRID = { electricityNanoUsdPerKwh: 200_000_000, gridMilligramsPerKwh: 360_000 };

/** The receipt of a request that burnt a second at `first`, failed there, and was completed by `second` in another one. */
function afterFallback(
  first: Partial<BackendConfig>,
  second: Partial<BackendConfig>,
  of: { readonly site?: Partial<SiteConfig>; readonly usage?: ReturnType<typeof reported> } = {},
): Receipt {
  const backends = [backendOf("first", first), backendOf("second", second)];
  const driver = new Driver(configOf(backends, { sites: [siteOf(of.site ?? GRID)] }));
  driver.arrive("1");
  driver.nowUs = 1_000_000;
  driver.fail("1");
  driver.nowUs = 2_000_000;
  driver.finish("1", of.usage ?? reported(1_000, 100), 2);
  const receipt = driver.receipts.get("1");
  assert.ok(receipt !== undefined);
  return receipt;
}

const summary = ({ costNanoUsd, costLines }: Receipt): unknown[] => [
  costNanoUsd.value,
  costNanoUsd.low,
  costNanoUsd.high,
  ...costLines.map((line) => line.item),
];

test("electricity of a failed attempt on owned hardware is on the bill beside the price list", () => {
  const receipt = afterFallback({ watts: 3_600 }, { price: PRICE });
  assert.deepEqual(summary(receipt), [3_000_000, 2_800_000, 3_000_000, "input", "output", "electricity"]);
});

test("a failed attempt whose electricity is unknown leaves the cost without an upper bound", () => {
  assert.deepEqual(summary(afterFallback({}, { price: PRICE })), [2_800_000, 2_800_000, null, "input", "output"]);
});

test("what the provider reported is not paid again as electricity of the same attempt", () => {
  const usage = reported(1_000, 100, { reportedCostNanoUsd: 77 });
  const receipt = afterFallback({ watts: 3_600 }, { watts: 3_600 }, { usage });
  assert.deepEqual(summary(receipt), [200_077, 77, 200_077, "provider_reported", "electricity"]);
});

test("a bill by estimated counts has the counts' bounds", () => {
  const usage = reported(1_000, 100, { method: "counted_estimate" });
  const receipt = afterFallback({ price: PRICE }, { price: PRICE }, { usage });
  assert.deepEqual(summary(receipt), [2_800_000, 2_100_000, 3_500_000, "input", "output"]);
});

test("energy and carbon known in part have no upper bound", () => {
  const part = afterFallback({}, { watts: 1_000 });
  assert.deepEqual([part.energyMilliJoules.value, part.energyMilliJoules.high], [1_000_000, null]);
  assert.deepEqual([part.carbonMicrograms.value, part.carbonMicrograms.high], [100_000, null]);
  const whole = afterFallback({ watts: 500 }, { watts: 1_000 });
  assert.deepEqual([whole.energyMilliJoules.value, whole.energyMilliJoules.high], [1_500_000, 1_500_000]);
});

test("a queued request that nothing may serve after a new configuration is refused at once", () => {
  const before = configOf([backendOf("a", { maxConcurrent: 1 })]);
  const driver = new Driver(before);
  driver.arrive("1");
  assert.deepEqual(
    driver.arrive("2").map(({ kind }) => kind),
    ["wake"],
  );
  const commands = driver.configure(configOf([backendOf("b", { models: { other: "other" } })]));
  const answer = commands.find((command) => command.kind === "answer");
  assert.ok(answer?.kind === "answer" && answer.requestId === "2" && !answer.result.ok);
  assert.equal(answer.result.code, "model_not_found");
});
