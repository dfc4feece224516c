import type { FigureMethod, Usage } from "../base/job.ts";
import type { CostLine, Figure } from "../base/receipt.ts";
import { reportedLine, tokenCostLines } from "../cost/money.ts";
import { countBounds, exact } from "./figures.ts";
import type { BackendState, OpenRequest } from "./state.ts";

/** What a request cost and how that is made up. */
export interface Cost {
  readonly figure: Figure;
  readonly lines: readonly CostLine[];
}

const UNKNOWN: Cost = { figure: exact(null, "unknown"), lines: [] };

/**
 * The cost of a request: what the provider reported, else its price list, else electricity; and the electricity of earlier
 * attempts at backends without a price, since it was paid too.
 */
export function costOf(request: OpenRequest, backend: BackendState | null, usage: Usage): Cost {
  // Nothing was ever sent, so nothing was spent: that is a fact, not an estimate.
  if (backend === null) return { figure: exact(0, "measured"), lines: [] };
  const { electricity, attempt } = request;
  const earlier = electricity.filter((use) => use.attempt !== attempt);
  if (usage.reportedCostNanoUsd !== null) {
    return withElectricity([reportedLine(usage.reportedCostNanoUsd)], earlier, "provider_reported");
  }
  if (backend.config.price !== null) {
    const lines = tokenCostLines(usage, backend.config.price);
    if (lines === null) return UNKNOWN;
    const cost = withElectricity(lines, earlier, "price_list");
    // A bill by estimated counts is an estimate.
    return usage.method === "counted_estimate" ? { ...cost, figure: { ...cost.figure, ...spread(cost.figure) } } : cost;
  }
  const own = electricity.find((use) => use.attempt === attempt)?.line ?? null;
  return own === null ? UNKNOWN : withElectricity([], electricity, "electricity");
}

function spread(figure: Figure): Pick<Figure, "low" | "high"> {
  const { low, high } = countBounds(figure.value ?? 0);
  return { low, high: figure.high === null ? null : high };
}

/** The sum of the lines and of the electricity; its upper bound is unknown when some of the electricity is. */
function withElectricity(
  lines: readonly CostLine[],
  electricity: OpenRequest["electricity"],
  method: FigureMethod,
): Cost {
  const known = electricity.flatMap(({ line }) => line ?? []);
  const all = [...lines, ...known];
  const sum = (some: readonly CostLine[]): number => some.reduce((total, line) => total + line.amountNanoUsd, 0);
  const value = sum(all);
  const isWhole = known.length === electricity.length;
  // Electricity comes from declared watts, a ceiling of the real draw.
  const figure = { ...exact(value, method), low: sum(lines), high: isWhole ? value : null };
  return { figure, lines: all };
}
