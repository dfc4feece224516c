import { count, figure, figureOr } from "../bench/numbers.ts";
import type { Estimate, EstimatePoint } from "./report.ts";

type Series = readonly (readonly EstimatePoint[])[];

/** A plot's vertical axis. */
interface Axis {
  readonly title: string;
  readonly of: (estimate: Estimate) => number | null;
}

interface Dot {
  readonly x: number;
  readonly y: number;
  readonly label: string;
  readonly colour: string;
}

const WATTS_PER_MW = 1e6;
const AXES: readonly Axis[] = [
  { title: "output tokens/s per accelerator", of: (each) => each.outputTokensPerSPerAccelerator },
  {
    title: "output tokens/s per MW of the facility",
    of: ({ facilityWatts, outputTokensPerS }) =>
      facilityWatts === null ? null : (outputTokensPerS / facilityWatts) * WATTS_PER_MW,
  },
  {
    title: "output tokens per dollar of owning",
    of: ({ ownedUsdPerMillionOutput: usd }) => (usd === null ? null : 1e6 / usd),
  },
];
const COLOURS = ["#2266cc", "#cc5522", "#228855", "#8844aa", "#aa8800", "#cc3377", "#558899", "#555555"];
const SIZE = { width: 520, height: 320, left: 70, right: 20, top: 30, bottom: 45 } as const;
const TICKS = 5;
const HEADS = [
  "hardware",
  "requests",
  "TTFT ms",
  "TPOT ms",
  "tokens/s",
  "per accelerator",
  "facility W",
  "$/M owned",
  "$/M rented",
  "bound",
];

/** A page with three plots against tokens per second per user, and the table, without scripts or anything from elsewhere. */
export function pageOf(series: Series, catalogVersion: string): string {
  const first = series[0]?.[0];
  const title =
    first === undefined
      ? "Estimate"
      : `${first.model} ${first.precision}, ${count(first.inputTokens)} tokens in, ${count(first.outputTokens)} out`;
  const legend = series.map((points, index) => `<li style="color:${colourOf(index)}">${escape(nameOf(points))}</li>`);
  const rows = series.flatMap((points) => points.map(rowOf));
  const notes = [...new Set(series.flatMap((points) => points.flatMap(({ extrapolated }) => extrapolated)))];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escape(title)}</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 2em; }
svg { margin: 0 1em 1em 0; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ccc; padding: 2px 8px; text-align: right; }
</style>
<h1>${escape(title)}</h1>
<p>All figures are estimates of a model (model_estimate), not measurements; catalogue ${escape(catalogVersion)}. Large dots are on the Pareto front.</p>
<ul>${legend.join("")}</ul>
${AXES.map((axis) => plot(series, axis)).join("\n")}
<table><tr>${HEADS.map((head) => `<th>${head}</th>`).join("")}</tr>
${rows.join("\n")}
</table>
${notes.length === 0 ? "" : `<p>Extrapolated: ${escape(notes.join("; "))}.</p>`}
</html>
`;
}

function plot(series: Series, axis: Axis): string {
  const dots = series.map((points, index) => dotsOf(points, axis, colourOf(index)));
  const all = dots.flat();
  const { width, height, left, right, top, bottom } = SIZE;
  const high = { x: Math.max(0, ...all.map(({ x }) => x)) || 1, y: Math.max(0, ...all.map(({ y }) => y)) || 1 };
  const across = (x: number): number => left + (x / high.x) * (width - left - right);
  const up = (y: number): number => height - bottom - (y / high.y) * (height - top - bottom);
  const shapes = dots.flatMap((each) => {
    const path = each.map(({ x, y }) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
    const circles = each.map((dot) => {
      const size = isFront(dot, all) ? 5 : 2.5;
      return `<circle cx="${across(dot.x).toFixed(1)}" cy="${up(dot.y).toFixed(1)}" r="${size}" fill="${dot.colour}"><title>${escape(dot.label)}</title></circle>`;
    });
    return [`<polyline points="${path}" fill="none" stroke="${each[0]?.colour ?? "none"}"/>`, ...circles];
  });
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => index / TICKS).flatMap((part) => [
    `<text x="${across(part * high.x)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11">${figure(part * high.x)}</text>`,
    `<text x="${left - 6}" y="${up(part * high.y) + 4}" text-anchor="end" font-size="11">${figure(part * high.y)}</text>`,
  ]);
  return `<svg width="${width}" height="${height}" role="img" aria-label="${axis.title}">
<text x="${left}" y="18" font-weight="bold">${axis.title}</text>
<path d="M${left} ${top}V${height - bottom}H${width - right}" fill="none" stroke="#888"/>
${ticks.join("")}
<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle" font-size="12">output tokens/s per user</text>
${shapes.join("\n")}
</svg>`;
}

function dotsOf(points: readonly EstimatePoint[], axis: Axis, colour: string): readonly Dot[] {
  return points.flatMap((point) => {
    const y = point.estimate === null ? null : axis.of(point.estimate);
    if (point.estimate === null || y === null) return [];
    const x = point.estimate.outputTokensPerSPerUser;
    return [{ x, y, colour, label: `${nameOf([point])}, ${point.concurrency} requests: ${figure(y)} at ${figure(x)}` }];
  });
}

/** Whether no other point is better in one direction and at least as good in the other. */
function isFront(dot: Dot, all: readonly Dot[]): boolean {
  return !all.some(({ x, y }) => x >= dot.x && y >= dot.y && (x > dot.x || y > dot.y));
}

function rowOf(point: EstimatePoint): string {
  const { estimate: each } = point;
  const cells =
    each === null
      ? [`does not fit: ${point.reason}, ${count(point.bytesShort)} bytes short`]
      : [
          figure(each.ttftMs),
          figure(each.tpotMs),
          figure(each.outputTokensPerS),
          figure(each.outputTokensPerSPerAccelerator),
          figureOr(each.facilityWatts),
          figureOr(each.ownedUsdPerMillionOutput),
          figureOr(each.rentedUsdPerMillionOutput),
          each.bound,
        ];
  return `<tr>${[nameOf([point]), count(point.concurrency), ...cells].map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`;
}

function nameOf([point]: readonly EstimatePoint[]): string {
  return point === undefined ? "" : `${point.accelerators} × ${point.hardware}`;
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? "#000000";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
