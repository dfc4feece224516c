import { count, figure, figureOr } from "../bench/numbers.ts";
import type { EstimatePoint } from "./report.ts";

const BAR = "█";
const GIGA = 1e9;
const BAR_ROOM = 44;

/** Tables, bars of output tokens per second, and what stands behind the figures, one part for each hardware. */
export function printEstimates(series: readonly (readonly EstimatePoint[])[], width: number): string {
  const lines = series.flatMap((points) => printSeries(points, width));
  lines.push("All figures are estimates of a model (model_estimate), not measurements.");
  return `${lines.join("\n")}\n`;
}

function printSeries(points: readonly EstimatePoint[], width: number): readonly string[] {
  const [first] = points;
  if (first === undefined) return [];
  const { parallelism: by, memory } = first;
  const spread = `tp ${by.tp} · dp ${by.dp} · pp ${by.pp}`;
  const apart = first.prefill === null ? "" : `, prompts on ${first.prefill.accelerators} × ${first.prefill.hardware}`;
  const lines = [
    `${first.model} ${first.precision} on ${first.accelerators} × ${first.hardware} (${spread}, ${first.engine})${apart}, ${count(first.inputTokens)} tokens in, ${count(first.outputTokens)} out`,
    `memory: ${gigabytes(memory.weightBytes)} weights of ${gigabytes(memory.usableBytes)} usable, ${gigabytes(memory.kvBytesPerRequest)} KV a request, at most ${count(memory.maxConcurrency)} requests at once`,
  ];
  if (!first.fits)
    lines.push(
      `does not fit: ${first.reason}; ${gigabytes(first.bytesShort)} short (${count(first.bytesShort)} bytes)`,
    );
  else lines.push("", ...table(points), "", ...bars(points, width));
  lines.push("", `sources: ${first.sources.join("; ")}`);
  if (first.extrapolated.length > 0) lines.push(`extrapolated: ${first.extrapolated.join("; ")}`);
  return [...lines, ""];
}

const HEADS = [
  "requests",
  "TTFT ms",
  "TPOT ms",
  "tok/s",
  "/user",
  "/chip",
  "facility W",
  "J/tok",
  "tok/s/kW",
  "$ own/M",
  "$ rent/M",
  "bound",
];

function table(points: readonly EstimatePoint[]): readonly string[] {
  const rows = points.flatMap(({ concurrency, estimate: e }) => {
    if (e === null) return [];
    const perKw = e.facilityWatts === null ? null : (e.outputTokensPerS / e.facilityWatts) * 1e3;
    const numbers = [
      e.ttftMs,
      e.tpotMs,
      e.outputTokensPerS,
      e.outputTokensPerSPerUser,
      e.outputTokensPerSPerAccelerator,
      e.facilityWatts,
      e.gpuJoulesPerOutputToken,
      perKw,
      e.ownedUsdPerMillionOutput,
      e.rentedUsdPerMillionOutput,
    ];
    return [[count(concurrency), ...numbers.map((value) => figureOr(value, "?")), e.bound]];
  });
  const widths = HEADS.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? "").length)));
  return [HEADS, ...rows].map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "));
}

/** Output tokens per second against concurrency. */
function bars(points: readonly EstimatePoint[], width: number): readonly string[] {
  const rates = points.map(({ estimate }) => estimate?.outputTokensPerS ?? 0);
  const most = Math.max(...rates);
  const room = Math.max(10, Math.min(BAR_ROOM, width - 32));
  return points.map(({ concurrency }, index) => {
    const rate = rates[index] ?? 0;
    return `${count(concurrency).padStart(10)} ${BAR.repeat(Math.max(1, Math.round((rate / most) * room)))} ${figure(rate)} tok/s`;
  });
}

function gigabytes(bytes: number): string {
  return `${figure(bytes / GIGA)} GB`;
}
