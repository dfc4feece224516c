import { Chance } from "../base/chance.ts";
import { NO_RUN_LIMITS, type RunCall } from "../base/run.ts";
import { drawRunLimits } from "./run-rules.ts";

/** How agents call. */
export interface AgentOptions {
  /** Of a thousand requests, how many belong to a run. */
  readonly inRuns: number;
  /** Runs from which a call is drawn; they move on, so that old ones end. */
  readonly runs: number;
  /** Different calls that a run makes. */
  readonly differentCalls: number;
  /** Of a thousand calls, how many ask for tighter limits. */
  readonly tightened: number;
  /** Of a thousand calls, for how many the store cannot read the run. */
  readonly unreadable: number;
}

/** Draws how agents call: in some seeds there are none. */
export function drawAgents(seed: string): AgentOptions {
  const chance = new Chance(seed, "agents/options");
  return {
    inRuns: chance.pick([0, 200, 900]),
    runs: chance.integer(1, 20),
    differentCalls: chance.pick([1, 3, 1_000_000]),
    tightened: chance.pick([0, 50, 300]),
    unreadable: chance.pick([0, 10]),
  };
}

const CALLS_PER_RUN = 30;

/** Draws the runs that calls belong to. Owned by the traffic. */
export class Agents {
  readonly #options: AgentOptions;
  readonly #chance: Chance;
  #calls = 0;

  constructor(seed: string, options: AgentOptions) {
    this.#options = options;
    this.#chance = new Chance(seed, "agents/calls");
  }

  /** The run of the next call, or null when it belongs to none. */
  nextCall(): RunCall | null {
    const chance = this.#chance;
    const { inRuns, runs, differentCalls, tightened } = this.#options;
    if (!chance.odds(inRuns, 1000)) return null;
    this.#calls += 1;
    const oldest = Math.floor(this.#calls / CALLS_PER_RUN);
    return {
      runId: `run-${oldest + chance.integer(0, runs - 1)}`,
      limits: chance.odds(tightened, 1000) ? drawRunLimits(chance, 300) : NO_RUN_LIMITS,
      choices: chance.odds(1, 20) ? chance.integer(2, 4) : 1,
      callHash: `call-${chance.integer(1, differentCalls)}`,
    };
  }

  /** Whether the store can read the run of the call that comes now. */
  reads(): boolean {
    return !this.#chance.odds(this.#options.unreadable, 1000);
  }
}
