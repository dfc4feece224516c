import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Figure, Receipt } from "../../base/receipt.ts";
import { ratiosOf } from "./ratios.ts";
import { ReceiptSample } from "./receipt-sample.ts";
import { ReceiptTotals } from "./receipt-totals.ts";

type Method = Figure["method"];

function figure(value: number | null, method: Method, low = value): Figure {
  return { value, method: value === null ? "unknown" : method, boundary: "request", low, high: value, final: true };
}

/** What the totals read of a receipt. */
interface Told {
  readonly backend?: string;
  readonly tokens?: number | null;
  readonly millijoules?: number | null;
  readonly nanoUsd?: number | null;
  readonly micrograms?: number | null;
}

function receipt(told: Told): Receipt {
  const { backend = "a", tokens = 100, millijoules = 50_000, nanoUsd = 2_000_000, micrograms = 3_000 } = told;
  const read: object = {
    backendId: backend,
    site: "here",
    layer: "device",
    outcome: "completed",
    tokens: { output: figure(tokens, "provider_reported") },
    time: { queueUs: figure(1500, "measured") },
    energyMilliJoules: figure(millijoules, "default", 0),
    costNanoUsd: figure(nanoUsd, "price_list"),
    carbonMicrograms: figure(micrograms, "default", 0),
  };
  return read as Receipt;
}

test("ratios are tokens against what the same receipts used", () => {
  const totals = new ReceiptTotals(true);
  totals.add(receipt({}), true);
  totals.add(receipt({}), false);
  const all = totals.all();
  assert.deepEqual(ratiosOf(all), {
    tokensPerJoule: 2,
    usefulTokensPerJoule: 1,
    joulesPerToken: 0.5,
    tokensPerUsd: 50_000,
    usefulTokensPerUsd: 25_000,
    usdPerMillionTokens: 20,
    gramsPerMillionTokens: 30,
    joules: 100,
    usd: 0.004,
    grams: 0.006,
  });
  assert.deepEqual([all.energyMilliJoules.low, all.energyMilliJoules.high], [0, 100_000]);
  assert.deepEqual(all.energyMilliJoules.methods, { default: 2 });
  assert.equal(all.queueMs?.p50, 1.5);
});

test("unknown is unknown, never zero, and is on neither side of a ratio", () => {
  const totals = new ReceiptTotals(false);
  totals.add(receipt({ millijoules: null, nanoUsd: null }), false);
  assert.equal(ratiosOf(totals.all()).tokensPerJoule, null);
  assert.equal(ratiosOf(totals.all()).joules, null);
  totals.add(receipt({}), false);
  totals.add(receipt({ tokens: null }), false);
  const all = totals.all();
  assert.deepEqual([all.energyMilliJoules.known, all.energyMilliJoules.unknown], [1, 2]);
  assert.equal(ratiosOf(all).tokensPerJoule, 2);
  assert.equal(ratiosOf(all).usefulTokensPerJoule, null, "useful needs an objective");
  const free = new ReceiptTotals(true);
  free.add(receipt({ nanoUsd: 0 }), true);
  const { usd, usdPerMillionTokens, tokensPerUsd } = ratiosOf(free.all());
  assert.deepEqual([usd, usdPerMillionTokens, tokensPerUsd], [0, 0, null], "free is a fact");
});

test("groups add up to all", () => {
  const parts = fc.record({
    backend: fc.constantFrom("a", "b", "c"),
    tokens: fc.option(fc.nat(500), { nil: null }),
    millijoules: fc.option(fc.nat(1e6), { nil: null }),
    nanoUsd: fc.option(fc.nat(1e9), { nil: null }),
    micrograms: fc.option(fc.nat(1e6), { nil: null }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(parts, fc.boolean())), (receipts) => {
      const totals = new ReceiptTotals(true);
      for (const [told, useful] of receipts) totals.add(receipt(told), useful);
      const all = totals.all();
      const groups = totals.groups();
      assert.equal(
        groups.reduce((sum, each) => sum + each.receipts, 0),
        all.receipts,
      );
      for (const name of ["energyMilliJoules", "costNanoUsd", "carbonMicrograms"] as const) {
        for (const side of ["value", "outputTokens", "usefulTokens", "known", "unknown"] as const) {
          const sum = groups.reduce((total, each) => total + (each[name][side] ?? 0), 0);
          assert.equal(sum, all[name][side] ?? 0, `${name}.${side}`);
        }
      }
    }),
  );
});

test("the sample is even, of bounded size, and takes no id that could be a path", () => {
  const sample = new ReceiptSample(100, "1");
  for (let index = 0; index < 10_000; index += 1) sample.offer({ id: String(index), useful: false });
  sample.offer({ id: "../healthz", useful: true });
  assert.deepEqual([sample.notes.length, sample.offered], [100, 10_000]);
  const early = sample.notes.filter(({ id }) => Number(id) < 5000).length;
  assert.ok(early > 30 && early < 70, `${early} of 100 from the first half`);
});
