import { count, figure, figureOr, percent, round } from "./numbers.ts";
import { plot, type Terminal } from "./plot.ts";
import { receiptTable } from "./receipt-table.ts";
import type { BenchReport, Tokens } from "./report.ts";
import type { Summary } from "./samples.ts";
import type { Slo } from "./tally.ts";

/** The latencies to draw, sorted, in milliseconds. */
export interface Drawn {
  readonly ttft: Float64Array;
  readonly e2e: Float64Array;
}

/** A generator that is later than this, and than a part of what it measures, says so. */
const LATE_MS = 5;
const LATE_SHARE = 0.05;
const KEPT_UP = 0.9;
const ENOUGH_FOR_P99 = 100;

/** The report for people, ending in a newline. */
export function printReport(report: BenchReport, drawn: Drawn, terminal: Terminal): string {
  const slo = report.goodput?.slo ?? null;
  const plots = [
    plot({ title: "TTFT", sorted: drawn.ttft, sloMs: slo?.ttftMs ?? null }, terminal),
    plot({ title: "E2E", sorted: drawn.e2e, sloMs: slo?.e2eMs ?? null }, terminal),
  ];
  const blocks = [
    head(report),
    outcome(report),
    throughput(report),
    latencies(report),
    ...plots,
    report.receipts === null ? [] : receiptTable(report.receipts, terminal.width),
    notes(report),
  ];
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => line.trimEnd()).join("\n"))
    .join("\n\n")}\n`;
}

function head({ target, load }: BenchReport): readonly string[] {
  const range = ({ low, high }: { readonly low: number; readonly high: number }): string =>
    low === high ? count(low) : `${count(low)} to ${count(high)}`;
  const shared = load.sharedPrefixTokens === 0 ? "" : `, the first ${count(load.sharedPrefixTokens)} shared`;
  const shape = load.cv === null ? (load.burst === null ? "" : ` of ${load.burst}`) : ` with variation ${load.cv}`;
  return [
    `${target.url}  ${target.model}, ${target.endpoint}, ${target.stream ? "streamed" : "whole answers"}`,
    `  ${load.arrivals}${shape}: ${round(load.ratePerSecond)}/s asked, ${figure(load.drawnPerSecond)}/s drawn, seed ${load.seed}`,
    `  prompts of about ${range(load.promptTokens)} tokens${shared}; answers of at most ${range(load.outputTokens)}`,
  ];
}

function outcome({ requests, windowSeconds, interrupted }: BenchReport): readonly string[] {
  const parts = [`${count(requests.completed)} completed`, `${count(requests.failed)} failed`];
  if (requests.unfinished > 0) parts.push(`${count(requests.unfinished)} cut off`);
  const ended = interrupted ? ", ended early" : "";
  const lines = [`${count(requests.scheduled)} requests in ${figure(windowSeconds)} s${ended}: ${parts.join(", ")}`];
  for (const { code, count: some, message } of requests.failures)
    lines.push(`  ${count(some)} × ${code}${message === "" ? "" : `: ${message}`}`);
  return lines;
}

function throughput(report: BenchReport): readonly string[] {
  const { goodput } = report;
  const rows: (readonly [string, number | null, string])[] = [
    ["requests", report.completedPerSecond, ""],
    ["  goodput", goodput?.requestsPerSecond ?? null, goodput === null ? "no objective was given" : met(goodput)],
    ["input tokens", report.inputTokens.tokensPerSecond, countedBy(report.inputTokens)],
    ["output tokens", report.outputTokens.tokensPerSecond, countedBy(report.outputTokens)],
  ];
  const useful = goodput?.usefulTokens.tokensPerSecond ?? null;
  rows.push(["  useful", useful, goodput === null ? "no objective was given" : ""]);
  return [
    "Per second",
    ...rows.map(([name, value, text]) => `  ${name.padEnd(15)} ${figureOr(value).padStart(9)}  ${text}`),
  ];
}

function met(goodput: NonNullable<BenchReport["goodput"]>): string {
  const share = goodput.share === null ? "none" : percent(goodput.share);
  return `${share} met ${objectives(goodput.slo)}`;
}

function objectives(slo: Slo): string {
  const rows = [
    ["TTFT", slo.ttftMs],
    ["TPOT", slo.tpotMs],
    ["E2E", slo.e2eMs],
  ] as const;
  return rows.flatMap(([name, ms]) => (ms === null ? [] : [`${name} ≤ ${round(ms)} ms`])).join(", ");
}

function countedBy({ tokens, requests }: Tokens): string {
  const parts: string[] = [];
  if (requests.usage > 0) parts.push("reported as usage");
  if (requests.chunks > 0) parts.push(`counted as chunks${requests.usage > 0 ? ` for ${count(requests.chunks)}` : ""}`);
  if (requests.unknown > 0) parts.push(`unknown for ${count(requests.unknown)}`);
  return tokens === null || parts.length === 0 ? parts.join(", ") : [count(tokens), ...parts].join(", ");
}

function latencies({ latencyMs, target }: BenchReport): readonly string[] {
  const rows: (readonly [string, Summary | null, string])[] = [
    ["TTFT", latencyMs.ttft, "due to first content"],
    ["TPOT", latencyMs.tpot, "per token after the first"],
    ["ITL", latencyMs.itl, "between chunks"],
    ["E2E", latencyMs.e2e, "due to end"],
    ["send delay", latencyMs.sendDelay, "due to sent"],
  ];
  const shown = target.stream ? rows : rows.filter(([name]) => name === "E2E" || name === "send delay");
  const line = (name: string, cells: readonly string[], text: string): string =>
    `  ${name.padEnd(10)} ${cells.map((cell) => cell.padStart(9)).join("")}  ${text}`;
  const cellsOf = (summary: Summary | null): readonly string[] =>
    summary === null
      ? ["unknown", "", "", ""]
      : [summary.p50, summary.p90, summary.p99, summary.max].map((value) => figure(value));
  return [
    line("Latency", ["p50", "p90", "p99", "max"], "milliseconds").trimStart(),
    ...shown.map(([name, summary, text]) => line(name, cellsOf(summary), text)),
  ];
}

/** What a reader must know to read the figures right. */
function notes(report: BenchReport): readonly string[] {
  const { requests, latencyMs, load, outputTokens } = report;
  const said: string[] = [];
  const delay = latencyMs.sendDelay?.p99 ?? 0;
  if (delay > LATE_MS && delay > (latencyMs.e2e?.p50 ?? 0) * LATE_SHARE)
    said.push(
      `The generator itself was late: ${figure(delay)} ms at p99. Lower the rate or give it a machine of its own.`,
    );
  if (report.goodput === null)
    said.push("Without an objective goodput is unknown: give --slo-ttft-ms, --slo-tpot-ms or --slo-e2e-ms.");
  if (requests.failed > 0 && requests.completed > 0) said.push("Latencies are of completed requests only.");
  if (!report.interrupted && requests.failed === 0 && report.completedPerSecond < load.drawnPerSecond * KEPT_UP)
    said.push("Answers did not keep up with arrivals: latencies grow with the length of such a run.");
  if (outputTokens.requests.chunks > 0)
    said.push("Where no usage was reported, output tokens are chunks with content, each of which may hold several.");
  if (requests.completed > 0 && requests.completed < ENOUGH_FOR_P99)
    said.push(`Of ${requests.completed} requests, p99 is the slowest one.`);
  return said.map((note) => `Note: ${note}`);
}
