/** One sample of a scrape. The value may be infinite or not a number, as the format allows. */
export interface MetricSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,)?/y;
// A timestamp may follow, and what OpenMetrics puts behind a `#`: an exemplar.
const VALUE = /[ \t]*([^ \t]+)(?:[ \t]+-?[0-9.]+)?[ \t]*(?:[ \t]#.*)?$/y;
// Most lines of a scrape are of histograms' buckets, and nothing here reads those.
const BUCKET = /^[a-zA-Z0-9_:]+_bucket[ \t{]/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * The samples of a text in Prometheus' exposition format (0.0.4, and OpenMetrics as far as gauges and counters go), in order,
 * without those of histograms' buckets. Null when a line is neither a sample nor a comment, since a text that is half understood
 * is not the engine's word: Prometheus drops such a scrape too. https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function parseExposition(text: string): readonly MetricSample[] | null {
  const samples: MetricSample[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || BUCKET.test(line)) continue;
    const sample = parseLine(line);
    if (sample === null) return null;
    samples.push(sample);
  }
  return samples;
}

function parseLine(line: string): MetricSample | null {
  NAME.lastIndex = 0;
  const name = NAME.exec(line)?.[0];
  if (name === undefined) return null;
  const labels = new Map<string, string>();
  let at = name.length;
  const open = /^[ \t]*\{/.exec(line.slice(at));
  if (open !== null) {
    const end = parseLabels(line, at + open[0].length, labels);
    if (end === null) return null;
    at = end;
  } else if (!/[ \t]/.test(line[at] ?? "")) return null;
  VALUE.lastIndex = at;
  const written = VALUE.exec(line)?.[1];
  const value = written === undefined ? null : parseValue(written);
  return value === null ? null : { name, labels, value };
}

/** Fills `labels` and returns the index after the closing brace, or null when they are no labels. */
function parseLabels(line: string, from: number, labels: Map<string, string>): number | null {
  let at = from;
  for (;;) {
    LABEL.lastIndex = at;
    const match = LABEL.exec(line);
    if (match === null) break;
    const [whole, name = "", value = "", comma] = match;
    labels.set(name, unescapeValue(value));
    at += whole.length;
    if (comma === undefined) break;
  }
  const close = /^[ \t]*\}/.exec(line.slice(at));
  return close === null ? null : at + close[0].length;
}

function unescapeValue(value: string): string {
  if (!value.includes("\\")) return value;
  return value.replace(/\\(.)/g, (_, after: string) => (after === "n" ? "\n" : after));
}

function parseValue(written: string): number | null {
  if (NUMBER.test(written)) return Number(written);
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(written);
  if (special === null) return null;
  if (special[2]?.toLowerCase() === "nan") return Number.NaN;
  return special[1] === "-" ? -Infinity : Infinity;
}
