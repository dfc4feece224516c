import type { Catalog } from "../../catalog/types.ts";
import { ask, type Asked, type Question, usualParallelism } from "./ask.ts";
import { csvLine, parseCsv } from "./csv.ts";
import { MOST_CHIPS, QuestionError, readEngine, readHardware, readModel, readPrecision } from "./names.ts";
import { type EstimatePoint, pointOf } from "./report.ts";

type Row = Readonly<Record<string, string>>;

const FIGURES = ["ttft_ms", "tpot_ms", "output_tok_s", "power_w", "energy_j_per_output_tok"];
const HEADER = ["id", ...FIGURES, ...FIGURES.flatMap((name) => [`${name}_lo`, `${name}_hi`]), "tier", "error"];
const DIGITS = 6;
const CHUNK_TOKENS = 8192;
/** Engines' own benchmarks that time prompts and answers apart. */
const STATIC = /llama-(?:batched-)?bench|neuronx/i;

/**
 * Answers each row of a CSV: `id, hardware, n_accel, tp, dp, ep, model, weight_precision, engine, isl, osl, concurrency` in, one line of
 * `HEADER` out. A row that cannot be answered has its reason in `error` and no figures. Yields lines with their end.
 */
export function* answerBatch(catalog: Catalog, text: string): Generator<string, void> {
  yield `${csvLine(HEADER)}\n`;
  for (const row of parseCsv(text)) yield `${csvLine(answerRow(catalog, row))}\n`;
}

function answerRow(catalog: Catalog, row: Row): readonly string[] {
  const id = row["id"] ?? "";
  try {
    return figuresOf(id, pointOf(ask(catalog, questionOf(catalog, row))));
  } catch (error) {
    if (error instanceof QuestionError) return refused(id, error.message);
    throw error;
  }
}

function figuresOf(id: string, point: EstimatePoint): readonly string[] {
  const { estimate } = point;
  if (estimate === null) return refused(id, `does not fit: ${point.reason}; ${point.bytesShort} bytes short`);
  const { ttftMs, tpotMs, outputTokensPerS, gpuWatts, gpuJoulesPerOutputToken } = estimate;
  const values = [ttftMs, tpotMs, outputTokensPerS, gpuWatts, gpuJoulesPerOutputToken];
  const texts = values.map((value) => (value === null ? "" : String(Number(value.toPrecision(DIGITS)))));
  // The model gives no intervals: a bound that nobody worked out is left empty.
  return [id, ...texts, ...FIGURES.flatMap(() => ["", ""]), point.method, ""];
}

function refused(id: string, reason: string): readonly string[] {
  return [id, ...FIGURES.flatMap(() => ["", "", ""]), "", reason];
}

function questionOf(catalog: Catalog, row: Row): Asked {
  const { accelerator } = readHardware(catalog, need(row, "hardware"));
  const model = readModel(catalog, need(row, "model"));
  const named = (row["weight_precision"] ?? "").replace(/\s*\(.*\)$/, "");
  const count = whole(row, "n_accel") ?? whole(row, "tp");
  if (count === null) throw new QuestionError("n_accel is missing.");
  if (count > MOST_CHIPS) throw new QuestionError(`n_accel must be at most ${MOST_CHIPS}.`);
  const load = {
    // Benchmarks of decoding alone have no prompt.
    inputTokens: Number(row["isl"]?.trim() || NaN) === 0 ? 0 : positive(row, "isl"),
    outputTokens: positive(row, "osl"),
    concurrency: positive(row, "concurrency"),
    prefixHit: 0,
    chunkTokens: CHUNK_TOKENS,
    speculation: null,
    isStatic: STATIC.test(row["engine"] ?? ""),
  };
  const part = {
    model,
    precision: readPrecision(catalog, named === "" ? model.nativePrecision : named),
    accelerator,
    count,
    engine: readEngine(row["engine"] === undefined || row["engine"] === "" ? "vllm" : row["engine"]),
  };
  const parallelism = parallelismOf(row, count) ?? usualParallelism(catalog, part, load);
  return { question: { ...part, parallelism }, prefill: null, load, tariff: { zone: null, usdPerKwh: null } };
}

/**
 * As the row says, or null where it does not. Measurements count `tp` as the chips of a replica's world or as those of one attention
 * group; both come to the chips divided by `dp`.
 */
function parallelismOf(row: Row, count: number): Question["parallelism"] | null {
  const tp = whole(row, "tp");
  const dp = whole(row, "dp");
  whole(row, "ep");
  if (tp === null && dp === null) return null;
  const ranks = dp ?? (tp !== null && tp <= count && count % tp === 0 ? count / tp : 1);
  if (count % ranks !== 0) throw new QuestionError(`dp ${ranks} does not divide the ${count} chips.`);
  return { tp: count / ranks, dp: ranks, pp: 1 };
}

function need(row: Row, name: string): string {
  const text = row[name]?.trim() ?? "";
  if (text === "") throw new QuestionError(`${name} is missing.`);
  return text;
}

function positive(row: Row, name: string): number {
  const value = Number(need(row, name));
  if (!(value > 0 && Number.isFinite(value)))
    throw new QuestionError(`${name} must be a number above 0, not ${row[name]}.`);
  return value;
}

function whole(row: Row, name: string): number | null {
  if ((row[name] ?? "").trim() === "") return null;
  const value = positive(row, name);
  if (!Number.isInteger(value)) throw new QuestionError(`${name} must be a whole number, not ${row[name]}.`);
  return value;
}
