import type { FigureMethod } from "../../base/job.ts";
import { count, figure, figureOr } from "./numbers.ts";
import type { BenchReport, ReceiptFigures } from "./report.ts";
import type { FigureTotal } from "./receipt-totals.ts";

const WORDS: Readonly<Record<FigureMethod, string>> = {
  measured: "measured",
  measured_counter: "measured",
  measured_share: "measured, shared out",
  curve_estimate: "modelled",
  model_estimate: "modelled",
  provider_reported: "reported by the provider",
  counted_estimate: "estimated",
  price_list: "from the price list",
  electricity: "from the electricity price",
  default: "estimated from declared watts",
  unknown: "unknown",
};

interface Row {
  readonly name: string;
  readonly cell: (group: ReceiptFigures) => string;
}

const ROWS: readonly Row[] = [
  { name: "receipts", cell: (group) => count(group.receipts) },
  { name: "queue p50, ms", cell: (group) => figureOr(group.queueMs?.p50 ?? null) },
  { name: "queue p99, ms", cell: (group) => figureOr(group.queueMs?.p99 ?? null) },
  { name: "tokens/J", cell: (group) => over(group.energyMilliJoules, group.ratios.tokensPerJoule) },
  { name: "useful tokens/J", cell: (group) => over(group.energyMilliJoules, group.ratios.usefulTokensPerJoule) },
  { name: "J/token", cell: (group) => over(group.energyMilliJoules, group.ratios.joulesPerToken) },
  { name: "  at least", cell: (group) => boundOf(group.energyMilliJoules, "low") },
  { name: "  at most", cell: (group) => boundOf(group.energyMilliJoules, "high") },
  { name: "tokens/$", cell: (group) => perDollar(group, group.ratios.tokensPerUsd) },
  { name: "useful tokens/$", cell: (group) => perDollar(group, group.ratios.usefulTokensPerUsd) },
  { name: "$/M tokens", cell: (group) => over(group.costNanoUsd, group.ratios.usdPerMillionTokens) },
  { name: "CO2, g", cell: (group) => over(group.carbonMicrograms, group.ratios.grams) },
  { name: "CO2, g/M tokens", cell: (group) => over(group.carbonMicrograms, group.ratios.gramsPerMillionTokens) },
];

interface Column {
  readonly title: string;
  readonly cells: readonly string[];
  readonly width: number;
}

const UNKNOWN = figureOr(null);
const PARTIAL = "*";

/** What the receipts say, in a column for all and one for each backend; as many tables as the width needs. */
export function receiptTable(receipts: NonNullable<BenchReport["receipts"]>, width: number): readonly string[] {
  const from = `From ${count(receipts.read)} of ${count(receipts.offered)} receipts`;
  const lines = [`${from}; tokens are output tokens, costs are of the whole request`];
  if (receipts.missing > 0)
    lines.push(`  ${count(receipts.missing)} could not be read: ${receipts.reason ?? "unknown"}`);
  if (receipts.read === 0) return lines;
  const names = Math.max(...ROWS.map(({ name }) => name.length)) + 2;
  let columns: Column[] = [];
  let used = names;
  const all = receipts.groups.length === 1 ? [] : [columnOf("all", receipts.all)];
  for (const group of [...all, ...receipts.groups.map((each) => columnOf(placeOf(each), each))]) {
    const wide = group.width;
    if (columns.length > 0 && used + wide + 2 > width) {
      lines.push(...table(columns, names), "");
      [columns, used] = [[], names];
    }
    columns.push(group);
    used += wide + 2;
  }
  lines.push(...table(columns, names), ...methods(receipts.all));
  return lines;
}

/** Rows that no column knows are left out: the lines on methods say that it is unknown. */
function table(columns: readonly Column[], names: number): readonly string[] {
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(names)}${cells.map((cell, index) => `  ${cell.padStart((columns[index] as Column).width)}`).join("")}`;
  const head = line(
    "",
    columns.map(({ title }) => title),
  );
  const rows = ROWS.map(({ name }, row) => ({
    name: `  ${name}`,
    cells: columns.map(({ cells }) => cells[row] as string),
  }));
  return [
    head,
    ...rows.filter(({ cells }) => cells.some((cell) => cell !== UNKNOWN)).map(({ name, cells }) => line(name, cells)),
  ];
}

function columnOf(title: string, group: ReceiptFigures): Column {
  const cells = ROWS.map(({ cell }) => cell(group));
  return { title, cells, width: Math.max(title.length, ...cells.map((cell) => cell.length)) };
}

function placeOf(group: ReceiptFigures): string {
  const place = [group.backend, group.site, group.layer].filter((part) => part !== null);
  return place.length === 0 ? "no backend" : place.join("/");
}

/** A figure, with a mark when some of the group's receipts do not know it. */
function over(total: FigureTotal, value: number | null): string {
  return value === null || total.unknown === 0 ? figureOr(value) : `${figure(value)}${PARTIAL}`;
}

function boundOf(total: FigureTotal, side: "low" | "high"): string {
  const bound = total[side];
  return over(total, bound === null || total.outputTokens === 0 ? null : bound / 1000 / total.outputTokens);
}

function perDollar(group: ReceiptFigures, value: number | null): string {
  return value === null && group.ratios.usd === 0 ? "free" : over(group.costNanoUsd, value);
}

/** How the figures were come by, one line for each of energy, cost and carbon. */
function methods(all: ReceiptFigures): readonly string[] {
  const rows = [
    ["energy", all.energyMilliJoules],
    ["cost", all.costNanoUsd],
    ["carbon", all.carbonMicrograms],
  ] as const;
  const partial = rows.some(([, total]) => total.known > 0 && total.unknown > 0);
  const lines = rows.map(([name, total]) => {
    const parts = Object.entries(total.methods).map(
      ([method, some]) => `${WORDS[method as FigureMethod] ?? method} (${method}) for ${count(some)}`,
    );
    if (total.unknown > 0) parts.push(`unknown for ${count(total.unknown)}`);
    return `  ${name}: ${parts.join(", ")}`;
  });
  return partial ? [...lines, `  ${PARTIAL} over those receipts alone that know the figure`] : lines;
}
