import { Chance } from "../base/chance.ts";

/** What can go wrong at a send; odds are per thousand sends. */
const AT_SENDS = [
  "refused",
  "hangs",
  "brokenBefore",
  "brokenMid",
  "stalls",
  "status429",
  "status500",
  "status400",
  "status401",
] as const;

/** What can go wrong elsewhere; odds are per thousand requests, leases, commits or disturbances, as the name says. */
const ELSEWHERE = [
  "clientLeaves",
  "staleEvents",
  "leaseLate",
  "leasePart",
  "commitSlow",
  "commitRefused",
  "commitReportLost",
  "backendSlow",
  "backendCrash",
  "reconfigured",
  "siteLimited",
  "processCrash",
  "cordoned",
] as const;

/** Every kind of fault, in a fixed order. */
export const FAULTS: readonly Fault[] = [...AT_SENDS, ...ELSEWHERE];

/** A kind of fault that a send may meet. */
export type SendFault = (typeof AT_SENDS)[number];

/** A kind of fault. */
export type Fault = SendFault | (typeof ELSEWHERE)[number];

/** Odds per thousand of each kind; zero is a kind that this run does not know. */
export type FaultOdds = Readonly<Record<Fault, number>>;

// Past these odds a kind drowns the others: nothing would ever get far enough to meet them.
const ODDS_MAX: FaultOdds = {
  refused: 150,
  hangs: 60,
  brokenBefore: 100,
  brokenMid: 100,
  stalls: 60,
  status429: 150,
  status500: 100,
  status400: 60,
  status401: 40,
  clientLeaves: 300,
  staleEvents: 900,
  leaseLate: 800,
  leasePart: 800,
  commitSlow: 100,
  commitRefused: 100,
  commitReportLost: 100,
  backendSlow: 300,
  backendCrash: 200,
  reconfigured: 200,
  siteLimited: 100,
  processCrash: 30,
  cordoned: 200,
};

/** No fault at all. */
export const NO_FAULTS: FaultOdds = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;

/**
 * Draws a swarm: each kind is switched off entirely in about half of the runs, since what never happens in a run lets
 * other things happen that it would have hidden.
 */
export function drawFaultOdds(seed: string): FaultOdds {
  const chance = new Chance(seed, "faults/swarm");
  const odds = FAULTS.map((fault) => [fault, chance.odds(1, 2) ? 0 : chance.integer(1, ODDS_MAX[fault])] as const);
  return Object.fromEntries(odds) as Record<Fault, number>;
}

/** Decides when a fault happens, one stream of chance per kind. Owned by the world, which switches it off for liveness. */
export class Faults {
  readonly odds: FaultOdds;
  /** How often each kind happened. */
  readonly counts: Record<Fault, number> = { ...NO_FAULTS };
  #on = true;
  readonly #streams: Readonly<Record<Fault, Chance>>;

  constructor(seed: string, odds: FaultOdds) {
    this.odds = odds;
    const streams = FAULTS.map((fault) => [fault, new Chance(seed, `faults/${fault}`)] as const);
    this.#streams = Object.fromEntries(streams) as Record<Fault, Chance>;
  }

  /** From now on nothing goes wrong. */
  end(): void {
    this.#on = false;
  }

  get areOn(): boolean {
    return this.#on;
  }

  happens(fault: Fault): boolean {
    const odds = this.odds[fault];
    if (!this.#on || odds === 0 || !this.#streams[fault].odds(odds, 1000)) return false;
    this.counts[fault] += 1;
    return true;
  }

  /** The fault that a send meets, or null. */
  atSend(): SendFault | null {
    if (!this.#on) return null;
    for (const fault of AT_SENDS) if (this.happens(fault)) return fault;
    return null;
  }

  /** The stream of a kind, for the details of a fault that happens. */
  details(fault: Fault): Chance {
    return this.#streams[fault];
  }
}
