import { count, percent, round } from "./numbers.ts";

/** What a terminal can show. */
export interface Terminal {
  readonly width: number;
  readonly colour: boolean;
}

/** One latency to draw. */
export interface PlotData {
  readonly title: string;
  /** Milliseconds, sorted. */
  readonly sorted: Float64Array;
  readonly sloMs: number | null;
}

const MOST_ROWS = 14;
/** Nothing is drawn finer than a microsecond. */
const LEAST_MS = 1e-3;
/** Edges within a decade, finer and finer. */
const SERIES: readonly (readonly number[])[] = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]];
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const GREEN = "\u001b[32m";
const RED = "\u001b[31m";
const DIM = "\u001b[2m";
const RESET = "\u001b[0m";

/** A histogram in rows of bars, with the share that is no slower than each row and a line at the objective. */
export function plot(data: PlotData, terminal: Terminal): readonly string[] {
  const { sorted, sloMs } = data;
  const low = sorted[0];
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) return [];
  const edges = edgesOf({ low, high, sloMs });
  const rows = edges.slice(1).map((to, index) => ({ from: edges[index] as number, to }));
  const labels = rows.map(({ from, to }) => `${round(from)} – ${round(to)} ms`);
  const labelWidth = Math.max(...labels.map((label) => label.length));
  const upTo = rows.map(({ to }) => countUpTo(sorted, to));
  const counts = upTo.map((value, index) => value - (upTo[index - 1] ?? 0));
  const most = Math.max(...counts);
  const countWidth = count(most).length;
  const barWidth = Math.max(4, terminal.width - labelWidth - countWidth - 15);
  const paint = (colour: string, text: string): string => (terminal.colour ? `${colour}${text}${RESET}` : text);
  const lines = [data.title];
  rows.forEach(({ from, to }, index) => {
    if (from === sloMs)
      lines.push(paint(DIM, objective(sloMs, countUpTo(sorted, sloMs) / sorted.length, terminal.width)));
    const some = counts[index] as number;
    const drawn = bar(some / most, barWidth);
    const tint = sloMs === null ? "" : to <= sloMs ? GREEN : RED;
    const coloured = tint === "" || drawn === "" ? drawn : paint(tint, drawn);
    const padding = " ".repeat(barWidth - drawn.length);
    const share = percent((upTo[index] as number) / sorted.length).padStart(8);
    lines.push(
      `  ${(labels[index] as string).padStart(labelWidth)}  ${coloured}${padding} ${count(some).padStart(countWidth)} ${share}`,
    );
  });
  if (sloMs !== null && edges.at(-1) === sloMs)
    lines.push(paint(DIM, objective(sloMs, countUpTo(sorted, sloMs) / sorted.length, terminal.width)));
  return lines;
}

function objective(sloMs: number, share: number, width: number): string {
  const text = `── objective ${round(sloMs)} ms: ${percent(share)} within `;
  return `  ${text}${"─".repeat(Math.max(2, width - text.length - 4))}`;
}

/** A bar of at most `width` characters; what is there at all shows. */
function bar(share: number, width: number): string {
  if (share === 0) return "";
  const eighths = Math.max(1, Math.round(share * width * 8));
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] as string);
}

/** Round numbers from below `low` to above `high`, and the objective among them. */
function edgesOf(range: { readonly low: number; readonly high: number; readonly sloMs: number | null }): number[] {
  const { sloMs } = range;
  const low = Math.max(range.low, range.high / 1e6, LEAST_MS);
  const high = Math.max(range.high, low);
  const edges = high / low < 4 ? evenEdges(low, high) : decadeEdges(low, high);
  // Drawn also where nothing was that slow: that the objective is far off is what a reader wants to see.
  if (sloMs !== null && !edges.includes(sloMs)) edges.push(sloMs);
  edges.sort((a, b) => a - b);
  edges[0] = Math.min(edges[0] as number, range.low);
  return edges;
}

function evenEdges(low: number, high: number): number[] {
  const rough = Math.max(high - low, low / 1e3) / (MOST_ROWS - 4);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5, 10].find((factor) => factor * unit >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.floor(high / step) + 1;
  // Through text, so that 3 × 0.1 is 0.3 as it is printed.
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function decadeEdges(low: number, high: number): number[] {
  for (const series of SERIES) {
    const edges = decades(series, low, high);
    if (edges.length - 1 <= MOST_ROWS) return edges;
  }
  return decades([1], low, high);
}

function decades(series: readonly number[], low: number, high: number): number[] {
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.floor(Math.log10(high)) + 1; power += 1) {
    for (const factor of series) all.push(Number(`${factor}e${power}`));
  }
  const first = all.findLastIndex((edge) => edge <= low);
  const last = all.findIndex((edge) => edge >= high);
  return all.slice(Math.max(0, first), last + 1);
}

/** How many of the sorted values are at most `limit`. */
function countUpTo(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
