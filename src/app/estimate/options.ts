import { existsSync } from "node:fs";
import { extname } from "node:path";
import type { Accelerator, Catalog, Model } from "../../catalog/types.ts";
import type { Load } from "../../cost/serving.ts";
import { loadModel } from "../catalog/load.ts";
import { integerOption, type Invocation, textOption, UsageError } from "../cli.ts";
import { type Asked, type Question, type Tariff, usualParallelism } from "./ask.ts";
import { MOST_CHIPS, readEngine, readHardware, readModel, readPrecision } from "./names.ts";

const MOST_TOKENS = 100_000_000;
const MOST_REQUESTS = 10_000_000;

/**
 * What the command line asks: one list of loads for each hardware. `today` dates models that are read from files; without it none are.
 * Throws `UsageError` and `QuestionError`.
 */
export function readQuestions(
  catalog: Catalog,
  invocation: Invocation,
  today: string | null,
): readonly (readonly Asked[])[] {
  const named = textOption(invocation, "model");
  const on = textOption(invocation, "on");
  if (named === null || on === null)
    throw new UsageError("--model and --on are needed. See `baseload estimate --help`.");
  const model = modelNamed(catalog, named, today);
  const compared = (textOption(invocation, "compare") ?? "").split(",").filter(Boolean);
  const concurrencies = concurrenciesOf(textOption(invocation, "concurrency") ?? "1..256");
  const tariff: Tariff = { zone: textOption(invocation, "zone"), usdPerKwh: fraction(invocation, "usd-per-kwh", 1000) };
  const loads = concurrencies.map((concurrency) => loadOf(invocation, concurrency));
  const prefill = prefillOf(catalog, invocation, { model, load: loads[0] as Load });
  return [on, ...compared].map((hardware) => {
    const { accelerator, count } = readHardware(catalog, hardware);
    const question = questionOf(catalog, invocation, { model, accelerator, count, load: loads[0] as Load });
    return loads.map((load) => ({ question, prefill, load, tariff }));
  });
}

interface Hardware {
  readonly model: Model;
  readonly accelerator: Accelerator;
  readonly count: number;
  readonly load: Load;
}

function questionOf(catalog: Catalog, invocation: Invocation, { model, accelerator, count, load }: Hardware): Question {
  const precision = readPrecision(catalog, textOption(invocation, "precision") ?? model.nativePrecision);
  const cache = textOption(invocation, "kv");
  const part = {
    model,
    precision: cache === null ? precision : { ...precision, kvBytes: readPrecision(catalog, cache).kvBytes },
    accelerator,
    count,
    engine: readEngine(textOption(invocation, "engine") ?? "vllm"),
  };
  const chips = (name: string): number | null => integerOption(invocation, name, { low: 1, high: MOST_CHIPS });
  const [tp, dp, pp] = [chips("tp"), chips("dp"), chips("pp")];
  if (tp === null && dp === null && pp === null) {
    return { ...part, parallelism: usualParallelism(catalog, part, load) };
  }
  const rest = count / ((dp ?? 1) * (pp ?? 1));
  const parallelism = { tp: tp ?? rest, dp: dp ?? (tp === null ? 1 : count / (tp * (pp ?? 1))), pp: pp ?? 1 };
  if (parallelism.tp * parallelism.dp * parallelism.pp !== count || !Object.values(parallelism).every(Number.isInteger))
    throw new UsageError(`--tp × --dp × --pp must make the ${count} chips of ${accelerator.id}.`);
  return { ...part, parallelism };
}

/** Hardware that computes prompts alone, spread as usual: `--tp` and its like are the decoders'. */
function prefillOf(catalog: Catalog, invocation: Invocation, of: Pick<Hardware, "model" | "load">): Question | null {
  const text = textOption(invocation, "prefill-on");
  if (text === null) return null;
  if (invocation.values["static"] === true) throw new UsageError("--static and --prefill-on exclude each other.");
  const values = { ...invocation.values, tp: undefined, dp: undefined, pp: undefined };
  return questionOf(catalog, { ...invocation, values }, { ...of, ...readHardware(catalog, text) });
}

function modelNamed(catalog: Catalog, name: string, today: string | null): Model {
  const isFile = today !== null && [".json", ".gguf"].includes(extname(name).toLowerCase()) && existsSync(name);
  return isFile ? loadModel(name, today) : readModel(catalog, name);
}

function loadOf(invocation: Invocation, concurrency: number): Load {
  const tokens = (name: string, usual: number): number =>
    integerOption(invocation, name, { low: 1, high: MOST_TOKENS }) ?? usual;
  const draftTokens = integerOption(invocation, "draft", { low: 0, high: 64 }) ?? 0;
  return {
    inputTokens: tokens("isl", 1024),
    outputTokens: tokens("osl", 1024),
    concurrency,
    prefixHit: fraction(invocation, "prefix-hit", 1) ?? 0,
    chunkTokens: tokens("chunk", 8192),
    speculation: draftTokens === 0 ? null : { draftTokens, acceptance: fraction(invocation, "acceptance", 1) ?? 0.7 },
    isStatic: invocation.values["static"] === true,
  };
}

/** `64`, or `1..256`: powers of two from the first to the last, which is among them too. */
function concurrenciesOf(text: string): readonly number[] {
  const [, low = "", high = low] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (low === "" || first < 1 || last < first || last > MOST_REQUESTS)
    throw new UsageError(`--concurrency takes N or N..M from 1 up, not ${JSON.stringify(text)}`);
  const values = [];
  for (let value = first; value < last; value *= 2) values.push(value);
  return [...values, last];
}

function fraction(invocation: Invocation, name: string, most: number): number | null {
  const text = textOption(invocation, name);
  if (text === null) return null;
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= most))
    throw new UsageError(`--${name} takes a number from 0 to ${most}, not ${JSON.stringify(text)}`);
  return value;
}
