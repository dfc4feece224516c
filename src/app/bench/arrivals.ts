import { Chance } from "../../base/chance.ts";
import { exponential, gamma } from "./draw.ts";

/** How requests are spread over time. */
export const ARRIVAL_KINDS = ["poisson", "gamma", "constant", "burst"] as const;

/** When requests are sent. It ends at `requests` or at `durationMs`, whichever is given and comes first. */
export interface ArrivalPlan {
  readonly kind: (typeof ARRIVAL_KINDS)[number];
  readonly ratePerSecond: number;
  /** Coefficient of variation of the gaps, for `gamma`. */
  readonly cv: number;
  /** Requests that are sent at once, for `burst`. */
  readonly burst: number;
  readonly requests: number | null;
  readonly durationMs: number | null;
  readonly seed: string;
}

/** The times at which a plan sends, in milliseconds since the start, drawn one by one so that no list of them is kept. */
export class Arrivals {
  readonly #plan: ArrivalPlan;
  readonly #chance: Chance;
  #drawn = 0;
  #atMs: number;

  constructor(plan: ArrivalPlan) {
    this.#plan = plan;
    this.#chance = new Chance(plan.seed, "bench arrivals");
    // A random process has no request at its origin; a regular one begins there.
    this.#atMs = plan.kind === "poisson" || plan.kind === "gamma" ? this.#gapMs() : 0;
  }

  /** How many times were given. */
  get count(): number {
    return this.#drawn;
  }

  /** The span that the given times stand for: up to where the next one would be, so that `count / span` is the drawn rate. */
  get spanMs(): number {
    const { durationMs } = this.#plan;
    return durationMs === null ? this.#atMs : Math.min(this.#atMs, durationMs);
  }

  /** The next time, or null when the plan is over. */
  next(): number | null {
    const { requests, durationMs } = this.#plan;
    if (requests !== null && this.#drawn >= requests) return null;
    const atMs = this.#atMs;
    if (durationMs !== null && atMs >= durationMs) return null;
    this.#drawn += 1;
    this.#atMs = this.#following(atMs);
    return atMs;
  }

  #following(atMs: number): number {
    const { kind, ratePerSecond, burst } = this.#plan;
    // By multiplication, since a sum of gaps would drift.
    if (kind === "constant") return (this.#drawn * 1000) / ratePerSecond;
    if (kind === "burst") return (Math.floor(this.#drawn / burst) * burst * 1000) / ratePerSecond;
    return atMs + this.#gapMs();
  }

  #gapMs(): number {
    const meanMs = 1000 / this.#plan.ratePerSecond;
    if (this.#plan.kind === "poisson") return meanMs * exponential(this.#chance);
    const shape = 1 / (this.#plan.cv * this.#plan.cv);
    return (meanMs * gamma(this.#chance, shape)) / shape;
  }
}
