import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Figure, Receipt } from "../../base/receipt.ts";
import { parseCommand } from "../cli.ts";
import { count, figure, percent } from "./numbers.ts";
import { readOptions } from "./options.ts";
import { plot } from "./plot.ts";
import { printReport } from "./print.ts";
import { ReceiptTotals } from "./receipt-totals.ts";
import { type BenchReport, type Findings, reportOf } from "./report.ts";
import { BENCH } from "./spec.ts";
import { Tally } from "./tally.ts";

const PLAIN = { width: 80, colour: false };

function figureOf(value: number | null, method: Figure["method"], low = value): Figure {
  return { value, method: value === null ? "unknown" : method, boundary: "node", low, high: value, final: true };
}

function receiptOf(index: number): Receipt {
  const near = index % 3 !== 0;
  const read: object = {
    outcome: "completed",
    backendId: near ? "rack" : "cloud",
    site: near ? "berlin" : "provider",
    layer: near ? "enterprise" : "cloud",
    tokens: { output: figureOf(32, "provider_reported") },
    time: { queueUs: figureOf(index * 10, "measured") },
    energyMilliJoules: figureOf(near ? 16_000 : null, "default", 0),
    costNanoUsd: figureOf(near ? 0 : 40_000, "price_list"),
    carbonMicrograms: figureOf(null, "unknown"),
  };
  return read as Receipt;
}

/** A run that never was: 200 requests, some slow, some refused. */
function run(args: readonly string[]): { findings: Findings; tally: Tally } {
  const invocation = parseCommand(BENCH, ["http://127.0.0.1:8080", "--seed", "7", ...args]);
  const options = readOptions(invocation, {});
  const tally = new Tally(options.slo);
  const totals = new ReceiptTotals(tally.hasSlo);
  for (let index = 0; index < 200; index += 1) {
    const dueMs = index * 50;
    tally.delay.add(0.02 * (index % 10));
    const firstMs = dueMs + 40 + ((index * 37) % 160);
    const failure = index % 20 === 7 ? { code: "429 queue_full", message: "Every backend is at its limit." } : null;
    const endMs = firstMs + 31 * (8 + (index % 5));
    const counts = { inputTokens: 128, outputTokens: 32, outputBy: index < 190 ? "usage" : "chunks" } as const;
    const useful = tally.ended({ dueMs, endMs, answer: { failure, firstMs, ...counts } });
    for (let gap = 0; gap < 31; gap += 1) tally.itl.add(8 + (index % 5));
    if (failure === null) totals.add(receiptOf(index), useful);
  }
  const findings: Findings = {
    options,
    model: "llama-3.1-8b",
    startedWallMs: 0,
    interrupted: false,
    scheduled: 200,
    spanMs: 10_000,
    elapsedMs: 10_200,
    connectionsOpened: 9,
    tally,
    receipts: { read: 190, missing: 0, reason: null, offered: 190, totals },
  };
  return { findings, tally };
}

function printed(args: readonly string[], width = 80): { report: BenchReport; text: string } {
  const { findings, tally } = run(args);
  const report = reportOf(findings);
  const text = printReport(report, { ttft: tally.ttft.sorted(), e2e: tally.e2e.sorted() }, { ...PLAIN, width });
  return { report, text };
}

const OBJECTIVES = ["--rate", "20", "--requests", "200", "--slo-ttft-ms", "150", "--slo-e2e-ms", "500"];

test("the report's text is the one in testdata", () => {
  const path = join(import.meta.dirname, "testdata", "report.txt");
  const { text } = printed(OBJECTIVES);
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
});

test("the report's figures agree with each other", () => {
  const { report } = printed(OBJECTIVES);
  const { requests, goodput } = report;
  assert.deepEqual([requests.completed, requests.failed, requests.notSent], [190, 10, 0]);
  assert.ok(goodput !== null && goodput.share !== null);
  assert.equal(goodput.share, goodput.requests / 200);
  assert.equal(goodput.requestsPerSecond, goodput.requests / 10.2);
  assert.equal(goodput.usefulTokens.tokens, goodput.requests * 32);
  assert.equal(report.receipts?.all.energyMilliJoules.usefulTokens, usefulOn(report, "rack"));
  assert.equal(report.latencyMs.ttft?.quantiles[90], report.latencyMs.ttft?.p90);
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report, "it is all plain JSON");
});

function usefulOn(report: BenchReport, backend: string): number | null | undefined {
  return report.receipts?.groups.find((group) => group.backend === backend)?.costNanoUsd.usefulTokens;
}

test("without an objective goodput and useful tokens are unknown, not zero", () => {
  const { report, text } = printed([]);
  assert.equal(report.goodput, null);
  assert.equal(report.receipts?.all.ratios.usefulTokensPerJoule, null);
  assert.match(text, /goodput +unknown/);
});

test("plots and the receipts' table keep to the terminal's width", () => {
  for (const width of [60, 80, 110]) {
    const { text } = printed(OBJECTIVES, width);
    const table = text.slice(text.indexOf("receipts; "), text.indexOf("energy: ")).split("\n").slice(1);
    const lines = [...text.split("\n").filter((line) => /█|──/.test(line)), ...table];
    for (const line of lines) assert.ok(line.length <= width, `${line.length} > ${width}: ${line}`);
    assert.equal(
      text.split("  receipts  ").length - 1,
      width === 60 ? 2 : 1,
      "columns that do not fit make a second table",
    );
  }
});

test("a plot shows every value once, however they lie", () => {
  const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });
  const slo = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: null });
  fc.assert(
    fc.property(values, slo, fc.integer({ min: 40, max: 120 }), (list, sloMs, width) => {
      const sorted = Float64Array.from(list).toSorted();
      const lines = plot({ title: "E2E", sorted, sloMs }, { width, colour: false }).slice(1);
      const bars = lines.filter((line) => !line.includes("objective"));
      const counts = bars.map((line) => Number(/ ([\d,]+) +[\d.]+ %$/.exec(line)?.[1]?.replaceAll(",", "")));
      assert.equal(
        counts.reduce((sum, each) => sum + each, 0),
        list.length,
        lines.join("\n"),
      );
      assert.ok(bars.length <= 20, `${bars.length} rows`);
      assert.equal(lines.length - bars.length, sloMs === null ? 0 : 1, lines.join("\n"));
      assert.ok(bars.at(-1)?.endsWith(" 100.0 %"));
    }),
  );
});

test("numbers show three digits that matter", () => {
  const pairs = [0, 7, 999, 0.00123, 0.0951, 1.5, 12.34, 123.4, 1234, 1_234_567.8, 0.0000123].map(figure);
  const wanted = ["0", "7", "999", "0.00123", "0.0951", "1.50", "12.3", "123", "1,234", "1,234,568", "1.23e-5"];
  assert.deepEqual(pairs, wanted);
  assert.deepEqual([percent(1), percent(0.9999), percent(0.5)], ["100.0 %", "99.9 %", "50.0 %"]);
  assert.equal(count(1_234_567), "1,234,567");
});
