import type { BackendId, RequestId } from "./ids.ts";
import type { Endpoint, FigureMethod, Layer, Principal } from "./job.ts";
import type { Exclusion } from "./offer.ts";
import type { RunLimits } from "./run.ts";

/**
 * One figure of a receipt. `value` is an integer in the unit of the figure's name, or null when it is unknown: unknown is
 * never zero. `low` and `high` bound an estimate; `final` is false while a meter may still revise it.
 */
export interface Figure {
  readonly value: number | null;
  readonly method: FigureMethod;
  /** What the figure covers: the request for tokens, money and time; accelerator, node or facility for energy and carbon. */
  readonly boundary: "request" | "accelerator" | "node" | "facility";
  readonly low: number | null;
  readonly high: number | null;
  readonly final: boolean;
}

/** How a request ended. `failed` covers refusals and upstream failures; `code` on the receipt says which. */
export type Outcome = "completed" | "failed" | "cancelled";

/** One try at one backend. Times are microseconds since the request arrived. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly backendId: BackendId;
  readonly sentUs: number;
  readonly endedUs: number;
  /** `completed`, `cancelled`, or the error code it failed with. */
  readonly result: string;
  /** The upstream's HTTP status, or null when none came. */
  readonly status: number | null;
}

/** What one request used, cost and emitted, where and why. See docs/receipts.md. */
export interface Receipt {
  readonly schemaVersion: 1;
  readonly receiptId: RequestId;
  readonly revision: number;
  /** Wall time of arrival, Unix milliseconds. */
  readonly arrivedWallMs: number;
  readonly principal: Principal;
  readonly class: string;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** The model asked for, the one that this name came to when it was sent, and the upstream's name of that. */
  readonly model: string;
  readonly resolvedModel: string | null;
  readonly upstreamModel: string | null;
  readonly layer: Layer | null;
  readonly site: string | null;
  readonly backendId: BackendId | null;
  readonly outcome: Outcome;
  /** The error table's code, or null when completed. */
  readonly code: string | null;
  readonly finishReason: string | null;
  readonly tokens: {
    readonly input: Figure;
    readonly cachedInput: Figure;
    readonly cacheWrite: Figure;
    readonly output: Figure;
    readonly reasoning: Figure;
  };
  readonly time: {
    readonly queueUs: Figure;
    readonly ttftUs: Figure;
    readonly tpotUs: Figure;
    readonly e2eUs: Figure;
  };
  readonly costNanoUsd: Figure;
  /** One line per priced thing; their sum is the cost. */
  readonly costLines: readonly CostLine[];
  readonly energyMilliJoules: Figure;
  readonly carbonMicrograms: Figure;
  readonly choice: {
    readonly reason: string;
    readonly excluded: readonly Exclusion[];
  };
  readonly attempts: readonly AttemptRecord[];
  /** The run that the call named, or null. */
  readonly runId: string | null;
  /** Its number in the run, from 1 on; null outside a run, and for a call that the run's limits refused. */
  readonly step: number | null;
  /** The run's limits when the call came, so that a restart does not loosen them; null where they were not looked at. */
  readonly runLimits: RunLimits | null;
}

/** One priced thing: `quantity` units at `nanoUsdPerMillion` a million units (tokens), or electricity by the kilowatt-hour. */
export interface CostLine {
  readonly item:
    | "input"
    | "cached_input"
    | "cache_write"
    | "output"
    | "reasoning"
    | "electricity"
    | "provider_reported";
  readonly quantity: number;
  readonly unit: "token" | "millijoule" | "nanousd";
  /** Nano-dollars per million tokens, per kilowatt-hour for electricity, or null for a cost that the provider reported. */
  readonly priceNanoUsd: number | null;
  readonly amountNanoUsd: number;
}
