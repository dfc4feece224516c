import { chipOf } from "../../catalog/machine.ts";
import { findAccelerator, findGrid, pricesOf } from "../../catalog/lookup.ts";
import type { Accelerator, Catalog, Model, Precision, PriceKind } from "../../catalog/types.ts";
import { type Capacity, capacityOf } from "../../cost/capacity.ts";
import { compile, type Deployment, type EngineName, type Parallelism } from "../../cost/deployment.ts";
import { serveDisaggregated } from "../../cost/disaggregated.ts";
import { type Prices, type Rates, ratesOf } from "../../cost/rates.ts";
import { type Load, serve, type Serving } from "../../cost/serving.ts";
import { QuestionError, unknown } from "./names.ts";

const USUAL_GROUP = 8;

/** A model on hardware. */
export interface Question {
  readonly model: Model;
  readonly precision: Precision;
  readonly accelerator: Accelerator;
  readonly count: number;
  readonly parallelism: Parallelism;
  readonly engine: EngineName;
}

/** What money and carbon are worked out with. */
export interface Tariff {
  readonly zone: string | null;
  readonly usdPerKwh: number | null;
}

/** One answer. `serving` and `rates` are null where it does not fit, and `capacity` says why. */
export interface Answer {
  readonly question: Question;
  readonly prefill: Question | null;
  readonly load: Load;
  readonly capacity: Capacity;
  readonly serving: Serving | null;
  readonly rates: Rates | null;
  /** Figures of the catalogue that were used. */
  readonly sources: readonly string[];
  readonly extrapolated: readonly string[];
}

/** A question with its load and prices. */
export interface Asked {
  readonly question: Question;
  /** Further hardware that computes the prompts, where the question's own only decodes; or null. */
  readonly prefill: Question | null;
  readonly load: Load;
  readonly tariff: Tariff;
}

/** Asks the cost model; throws `QuestionError` where the catalogue does not know enough of the hardware. */
export function ask(catalog: Catalog, { question, prefill, load, tariff }: Asked): Answer {
  const decode = deploy(catalog, question);
  const first = prefill === null ? null : deploy(catalog, prefill);
  const serving = first === null ? serve(decode, load) : serveDisaggregated({ prefill: first, decode }, load);
  const own = pricesFor(catalog, question.accelerator, tariff);
  const prices =
    prefill === null ? own : both({ own, question, prefill, others: pricesFor(catalog, prefill.accelerator, tariff) });
  const count = question.count + (prefill?.count ?? 0);
  return {
    question,
    prefill,
    load,
    capacity: serving?.capacity ?? refusal(decode, first, load),
    serving,
    rates: serving === null ? null : ratesOf(serving, count, prices),
    sources: [...new Set([...decode.placement.chip.sources, ...(first?.placement.chip.sources ?? [])])],
    extrapolated: beyond(question, load, [decode, ...(first === null ? [] : [first])]),
  };
}

/** Of the one that does not hold the model or a request. */
function refusal(decode: Deployment, prefill: Deployment | null, load: Load): Capacity {
  const capacity = capacityOf(decode, load);
  if (!capacity.fits || prefill === null) return capacity;
  const other = capacityOf(prefill, { ...load, outputTokens: 1 });
  return { ...other, reason: `${other.reason} of prefill` };
}

interface Shares {
  readonly own: Prices;
  readonly others: Prices;
  readonly question: Question;
  readonly prefill: Question;
}

/** The average price of a chip of both kinds; unknown where either is. */
function both({ own, others, question, prefill }: Shares): Prices {
  const average = (kind: "tcoUsdPerChipHour" | "rentedUsdPerChipHour"): number | null => {
    const [one, other] = [own[kind], others[kind]];
    if (one === null || other === null) return null;
    return (one * question.count + other * prefill.count) / (question.count + prefill.count);
  };
  return {
    ...own,
    tcoUsdPerChipHour: average("tcoUsdPerChipHour"),
    rentedUsdPerChipHour: average("rentedUsdPerChipHour"),
  };
}

/**
 * How chips are used where nobody says: groups of at most eight that hold a copy of attention each, wider ones, up to the scale-up domain, where
 * the weights or one request do not fit otherwise.
 */
export function usualParallelism(catalog: Catalog, question: Omit<Question, "parallelism">, load: Load): Parallelism {
  const { count, accelerator } = question;
  const widest = Math.min(count, Math.max(USUAL_GROUP, accelerator.scaleUpDomain));
  const widths = Array.from({ length: widest }, (_, index) => index + 1).filter((tp) => count % tp === 0);
  const usual = Math.max(...widths.filter((tp) => tp <= USUAL_GROUP));
  for (const tp of widths) {
    if (tp < usual) continue;
    const parallelism = { tp, dp: count / tp, pp: 1 };
    if (capacityOf(deploy(catalog, { ...question, parallelism }), load).fits) return parallelism;
  }
  return { tp: usual, dp: count / usual, pp: 1 };
}

function deploy(catalog: Catalog, question: Question): Deployment {
  const compiled = compile({ ...question, chip: chipOf(catalog, question.accelerator) });
  if ("deployment" in compiled) return compiled.deployment;
  throw new QuestionError(
    `The catalogue does not know ${compiled.unknown}. Give the figure in a file of your own with --catalog.`,
  );
}

function beyond({ model }: Question, load: Load, deployments: readonly Deployment[]): readonly string[] {
  const tokens = load.inputTokens + load.outputTokens;
  const long =
    tokens > model.contextTokens ? [`${tokens} tokens, beyond the model's context of ${model.contextTokens}`] : [];
  const apart = deployments.length > 1 ? ["prefill and decode apart, never compared with measurements"] : [];
  return [...new Set([...deployments.flatMap(({ extrapolated }) => extrapolated), ...long, ...apart])];
}

/** The lowest price of each kind, so that comparisons are by the same rule. */
function pricesFor(catalog: Catalog, accelerator: Accelerator, { zone, usdPerKwh }: Tariff): Prices {
  const lowest = (kind: PriceKind): number | null => {
    const hourly = pricesOf(catalog, accelerator, kind).filter((each) => each.unit === "usdPerHour");
    const perChip = hourly.map(({ price, accelerator: id }) => price.value / (chipsOf(catalog, id) ?? 1));
    return perChip.length === 0 ? null : Math.min(...perChip);
  };
  const grid = zone === null ? null : findGrid(catalog, zone);
  if (zone !== null && grid === null)
    throw unknown(
      "zone",
      zone,
      catalog.grids.map((each) => each.zone),
    );
  return {
    tcoUsdPerChipHour: lowest("tco"),
    rentedUsdPerChipHour: lowest("rented"),
    usdPerKwh: usdPerKwh ?? grid?.usdPerKwh?.value ?? null,
    gramsPerKwh: grid?.gramsPerKwh?.value ?? null,
  };
}

function chipsOf(catalog: Catalog, id: string): number | null {
  return findAccelerator(catalog, id)?.accelerators ?? null;
}
