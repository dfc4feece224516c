import assert from "node:assert/strict";
import { test } from "node:test";
import { UNKNOWN_USAGE } from "../base/job.ts";
import type { Receipt } from "../base/receipt.ts";
import { backendOf, configOf, Driver, reported, siteOf } from "../sim/driver.ts";
import type { BackendConfig, SiteConfig } from "./config.ts";

const PRICE = {
  inputNanoUsdPerMillion: 2_000_000_000,
  cachedInputNanoUsdPerMillion: 500_000_000,
  cacheWriteNanoUsdPerMillion: null,
  outputNanoUsdPerMillion: 8_000_000_000,
  reasoningNanoUsdPerMillion: null,
};

/** The receipt of one request that ran for a second at backend `a`. */
function receiptOf(backend: Partial<BackendConfig>, site: Partial<SiteConfig>, usage = reported(1_000, 100)): Receipt {
  const driver = new Driver(configOf([backendOf("a", backend)], { sites: [siteOf(site)] }));
  driver.arrive("1");
  driver.nowUs = 1_000_000;
  driver.finish("1", usage);
  const receipt = driver.receipts.get("1");
  assert.ok(receipt !== undefined);
  return receipt;
}

test("tokens keep their method: reported is exact, estimated has bounds, unknown is null, an explicit zero is zero", () => {
  const exact = receiptOf({}, {}).tokens.output;
  assert.deepEqual([exact.value, exact.method, exact.low, exact.high], [100, "provider_reported", 100, 100]);
  const estimated = receiptOf({}, {}, reported(1_000, 101, { method: "counted_estimate" })).tokens.output;
  assert.deepEqual([estimated.value, estimated.low, estimated.high], [101, 75, 127]);
  const unknown = receiptOf({}, {}, UNKNOWN_USAGE).tokens.output;
  assert.deepEqual([unknown.value, unknown.method, unknown.low], [null, "unknown", null]);
  const zero = receiptOf({ price: PRICE }, {}, reported(0, 0));
  assert.deepEqual([zero.tokens.output.value, zero.tokens.cachedInput.value], [0, null]);
  assert.deepEqual([zero.costNanoUsd.value, zero.costNanoUsd.method], [0, "price_list"]);
});

test("cost is what the provider reported, else the price list, else electricity, else unknown", () => {
  const owned = { watts: 3_600 };
  const grid = { electricityNanoUsdPerKwh: 200_000_000 };
  const told = reported(1_000, 100, { reportedCostNanoUsd: 77 });
  const costOf = ({ costNanoUsd, costLines }: Receipt): unknown[] => [
    costNanoUsd.value,
    costNanoUsd.method,
    ...costLines.map((line) => line.item),
  ];
  assert.deepEqual(costOf(receiptOf({ ...owned, price: PRICE }, grid, told)), [
    77,
    "provider_reported",
    "provider_reported",
  ]);
  assert.deepEqual(costOf(receiptOf({ ...owned, price: PRICE }, grid)), [2_800_000, "price_list", "input", "output"]);
  // 3,600 W for a second are a thousandth of a kilowatt-hour.
  assert.deepEqual(costOf(receiptOf(owned, grid)), [200_000, "electricity", "electricity"]);
  assert.deepEqual(costOf(receiptOf(owned, {})), [null, "unknown"]);
  assert.deepEqual(costOf(receiptOf({}, grid)), [null, "unknown"]);
  assert.deepEqual(costOf(receiptOf({ price: PRICE }, {}, UNKNOWN_USAGE)), [null, "unknown"]);
});

test("what was never sent cost nothing, and used an unknown amount of nothing", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.arrive("1", { model: "x" });
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.costNanoUsd.value, receipt?.costNanoUsd.method], [0, "measured"]);
  assert.deepEqual([receipt?.energyMilliJoules.value, receipt?.site, receipt?.backendId], [null, null, null]);
});

test("energy is the declared watts times busy time, with PUE where it is declared, and bounds that say it is a ceiling", () => {
  const node = receiptOf({ watts: 500 }, {}).energyMilliJoules;
  assert.deepEqual([node.value, node.boundary, node.low, node.high], [500_000, "node", 0, 500_000]);
  const facility = receiptOf({ watts: 500 }, { pueThousandths: 1_250, gridMilligramsPerKwh: 360_000 });
  assert.deepEqual([facility.energyMilliJoules.value, facility.energyMilliJoules.boundary], [625_000, "facility"]);
  assert.equal(facility.carbonMicrograms.value, 62_500);
  assert.equal(receiptOf({}, {}).energyMilliJoules.value, null);
});

test("requests that are busy together share the energy by time", () => {
  const driver = new Driver(configOf([backendOf("a", { watts: 100, maxConcurrent: 2 })]));
  driver.arrive("long");
  driver.nowUs = 1_000_000;
  driver.arrive("short");
  driver.nowUs = 2_000_000;
  driver.finish("short");
  driver.nowUs = 3_000_000;
  driver.finish("long");
  const millijoules = (id: string): number | null | undefined => driver.receipts.get(id)?.energyMilliJoules.value;
  assert.deepEqual([millijoules("short"), millijoules("long")], [50_000, 250_000]);
});

test("nothing is lost to rounding: a thousand receipts of odd microjoules sum to the meter", () => {
  const site = siteOf({ pueThousandths: 1_337 });
  const limits = { maxQueued: 1, queueTimeoutMs: 1_000, maxAttempts: 1, maxUnsettled: 1_000 };
  const driver = new Driver(configOf([backendOf("a", { watts: 7 })], { sites: [site], limits }));
  let sum = 0;
  for (let index = 0; index < 1_000; index += 1) {
    driver.arrive(String(index));
    driver.nowUs += 333;
    driver.finish(String(index));
    sum += driver.receipts.get(String(index))?.energyMilliJoules.value ?? 0;
  }
  assert.equal(sum, Math.floor((7 * 333 * 1_000 * 1_337) / 1_000_000));
});

test("watts that change in flight count from their time on", () => {
  const driver = new Driver(configOf([backendOf("a", { watts: 100 })]));
  driver.arrive("1");
  driver.nowUs = 1_000_000;
  driver.configure(configOf([backendOf("a", { watts: 900 })]));
  driver.nowUs = 2_000_000;
  driver.finish("1");
  assert.equal(driver.receipts.get("1")?.energyMilliJoules.value, 1_000_000);
});

test("a backend that is taken out in flight ends its requests, and their receipts say where, at what cost and energy", () => {
  const driver = new Driver(
    configOf([backendOf("a", { watts: 10, price: PRICE }), backendOf("b", { models: { n: "n" } })]),
  );
  driver.arrive("1");
  driver.nowUs = 1_000_000;
  driver.configure(configOf([backendOf("b", { models: { n: "n" } })]));
  assert.deepEqual(
    driver.kernel.backends().map((each) => each.backendId),
    ["b"],
  );
  driver.finish("1", reported(1_000, 100));
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.backendId, receipt?.site, receipt?.layer], ["a", "here", "enterprise"]);
  assert.deepEqual([receipt?.costNanoUsd.value, receipt?.energyMilliJoules.value], [2_800_000, 10_000]);
  assert.deepEqual(
    driver.kernel.snapshot().backends.map((each) => each.id),
    ["b"],
  );
});

test("a backend that is taken out while a request that failed there waits is still known on the receipt", () => {
  const backends = [backendOf("a", { watts: 10 }), backendOf("b")];
  const sites = [siteOf({ electricityNanoUsdPerKwh: 360_000_000 })];
  const driver = new Driver(configOf(backends, { sites }));
  driver.arrive("1");
  driver.arrive("2");
  driver.nowUs = 1_000_000;
  driver.fail("1");
  driver.configure(configOf([backendOf("b")], { sites }));
  driver.nowUs = 2_000_000;
  driver.step({ kind: "woke", requestId: "1", attempt: 1 });
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.code, receipt?.backendId, receipt?.site], ["queue_timeout", "a", "here"]);
  assert.deepEqual([receipt?.costNanoUsd.value, receipt?.costNanoUsd.method], [1_000, "electricity"]);
});

test("electricity is paid at the price of the site where it was used, a line an attempt", () => {
  const sites = [
    siteOf({ id: "dear", electricityNanoUsdPerKwh: 720_000_000 }),
    siteOf({ id: "cheap", electricityNanoUsdPerKwh: 360_000_000 }),
  ];
  const backends = [backendOf("a", { site: "dear", watts: 10 }), backendOf("b", { site: "cheap", watts: 10 })];
  const driver = new Driver(configOf(backends, { sites }));
  driver.arrive("1");
  driver.nowUs = 1_000_000;
  driver.fail("1");
  driver.nowUs = 2_000_000;
  driver.finish("1", UNKNOWN_USAGE, 2);
  const receipt = driver.receipts.get("1");
  assert.deepEqual(
    receipt?.costLines.map((line) => [line.quantity, line.amountNanoUsd]),
    [
      [10_000, 2_000],
      [10_000, 1_000],
    ],
  );
  assert.equal(receipt?.costNanoUsd.value, 3_000);
});

test("times are from arrival: queue, first token, end, and the pace between the first token and the end", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.arrive("busy");
  driver.arrive("1");
  driver.nowUs = 100;
  driver.finish("busy");
  driver.nowUs = 400;
  driver.first("1");
  driver.nowUs = 1_300;
  driver.finish("1", reported(5, 10));
  const time = driver.receipts.get("1")?.time;
  assert.deepEqual(
    [time?.queueUs.value, time?.ttftUs.value, time?.tpotUs.value, time?.e2eUs.value],
    [100, 400, 100, 1_300],
  );
  const other = driver.receipts.get("busy")?.time;
  assert.deepEqual([other?.ttftUs.value, other?.tpotUs.value], [null, null]);
});
