import type { Round } from "./measure.ts";
import type { TargetName } from "./targets.ts";

/** The rounds of one target. */
export interface Measured {
  readonly name: TargetName;
  readonly rounds: readonly Round[];
  readonly rssBytes: number | null;
}

/** Medians over the rounds; latencies are what they are above `direct` in the same round. */
export interface Row {
  readonly name: TargetName;
  readonly cpuUsPerRequest: number | null;
  readonly requestsPerSecond: number;
  readonly cpuUsPerChunk: number | null;
  readonly addedP50Ms: number | null;
  readonly addedP99Ms: number | null;
  readonly addedTtftP50Ms: number | null;
  readonly addedTtftP99Ms: number | null;
  readonly rssMb: number | null;
  /** CPU compared with `bare`, null without it. */
  readonly requestRatio: number | null;
  readonly chunkRatio: number | null;
  readonly failed: number;
}

/** The middle of the numbers, or null when there is none. */
export function median(numbers: readonly (number | null)[]): number | null {
  const sorted = numbers.filter((each) => each !== null).toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return null;
  const high = sorted[Math.floor(middle)] as number;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] as number)) / 2;
}

/** One row a target. A ratio is taken round by round, since what disturbs one round disturbs both. */
export function summarise(all: readonly Measured[]): readonly Row[] {
  const direct = all.find(({ name }) => name === "direct") ?? null;
  const bare = all.find(({ name }) => name === "bare") ?? null;
  return all.map((each) => {
    const { rounds } = each;
    const added = (of: (round: Round) => number | null): number | null =>
      direct === null || direct === each
        ? null
        : median(paired(rounds, direct.rounds, (a, b) => difference(of(a), of(b))));
    const ratio = (of: (round: Round) => number | null): number | null =>
      bare === null ? null : median(paired(rounds, bare.rounds, (a, b) => quotient(of(a), of(b))));
    return {
      name: each.name,
      cpuUsPerRequest: median(rounds.map((round) => round.cpuUsPerRequest)),
      requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)) ?? 0,
      cpuUsPerChunk: median(rounds.map((round) => round.cpuUsPerChunk)),
      addedP50Ms: added((round) => round.p50Ms),
      addedP99Ms: added((round) => round.p99Ms),
      addedTtftP50Ms: added((round) => round.ttftP50Ms),
      addedTtftP99Ms: added((round) => round.ttftP99Ms),
      rssMb: each.rssBytes === null ? null : each.rssBytes / 1e6,
      requestRatio: ratio((round) => round.cpuUsPerRequest),
      chunkRatio: ratio((round) => round.cpuUsPerChunk),
      failed: rounds.reduce((sum, { failed }) => sum + failed, 0),
    };
  });
}

function difference(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}

function quotient(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a / b;
}

function paired<T>(
  rounds: readonly Round[],
  others: readonly Round[],
  of: (round: Round, other: Round) => T,
): readonly T[] {
  return rounds.map((round, index) => of(round, others[index] as Round));
}

const COLUMNS: readonly { readonly title: string; readonly text: (row: Row) => string }[] = [
  { title: "", text: ({ name }) => name },
  { title: "CPU µs/request", text: (row) => digits(row.cpuUsPerRequest, 1) },
  { title: "× bare", text: (row) => digits(row.requestRatio, 2) },
  { title: "requests/s", text: (row) => digits(row.requestsPerSecond, 0) },
  { title: "CPU µs/chunk", text: (row) => digits(row.cpuUsPerChunk, 1) },
  { title: "× bare", text: (row) => digits(row.chunkRatio, 2) },
  { title: "added p50 ms", text: (row) => digits(row.addedP50Ms, 2) },
  { title: "p99", text: (row) => digits(row.addedP99Ms, 2) },
  { title: "added TTFT p50 ms", text: (row) => digits(row.addedTtftP50Ms, 2) },
  { title: "p99", text: (row) => digits(row.addedTtftP99Ms, 2) },
  { title: "RSS MB", text: (row) => digits(row.rssMb, 0) },
  { title: "failed", text: ({ failed }) => String(failed) },
];

function digits(value: number | null, places: number): string {
  return value === null ? "" : value.toFixed(places);
}

/** The rows as a table of Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map(({ text }) => text(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(3, ...cells.map((line) => (line[column] ?? "").length)));
  const lines = cells.map((line) => `| ${line.map((cell, column) => pad(cell, { column, widths })).join(" | ")} |`);
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return `${[lines[0], rule, ...lines.slice(1)].join("\n")}\n`;
}

function pad(cell: string, of: { readonly column: number; readonly widths: readonly number[] }): string {
  const width = of.widths[of.column] ?? 0;
  return of.column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
