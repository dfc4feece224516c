import { Chance } from "../base/chance.ts";
import { uuidv7 } from "../base/ids.ts";
import type { Job } from "../base/job.ts";
import { type AgentOptions, Agents, drawAgents } from "./agents.ts";
import { ALIASES, type Fleet } from "./fleet.ts";

/** How the requests of a run come. */
export interface TrafficOptions {
  /** Mean time between two requests in calm times. */
  readonly calmGapUs: number;
  /** And in bursts. */
  readonly burstGapUs: number;
  /** How many requests a calm or a burst lasts at most. */
  readonly spellRequests: number;
  readonly tenants: number;
  /** The models that are asked for, all of which some backend of the pool has. */
  readonly models: readonly string[];
  /** Per thousand requests. */
  readonly unknownModels: number;
  /** Asked for by another name. */
  readonly aliased: number;
  readonly unknownClasses: number;
  readonly longPrompts: number;
  readonly streamed: number;
  readonly agents: AgentOptions;
}

/** Draws traffic whose load stands in some proportion to what the fleet can take, from idle to hopeless. */
export function drawTraffic(seed: string, fleet: Fleet): TrafficOptions {
  const chance = new Chance(seed, "traffic/options");
  let perSecondMilli = 0;
  for (const truth of fleet.truths.values()) {
    const serviceUs = truth.ttftUs + truth.roundTripUs + OUTPUT_TOKENS_MEAN * truth.tokenUs;
    perSecondMilli += Math.floor((truth.slots * 1_000_000_000) / serviceUs);
  }
  const fullGapUs = Math.max(1, Math.floor(1_000_000_000 / perSecondMilli));
  return {
    calmGapUs: Math.max(1, Math.floor((fullGapUs * chance.integer(60, 400)) / 100)),
    burstGapUs: Math.max(1, Math.floor((fullGapUs * chance.integer(5, 100)) / 100)),
    spellRequests: chance.integer(20, 400),
    tenants: chance.integer(1, 5),
    models: [...new Set([...fleet.truths.values()].flatMap((truth) => truth.models))],
    unknownModels: chance.integer(0, 50),
    aliased: Object.keys(fleet.config.aliases).length === 0 ? 0 : 200,
    unknownClasses: chance.integer(0, 20),
    longPrompts: chance.integer(0, 30),
    streamed: chance.pick([0, 500, 900, 1000]),
    agents: drawAgents(seed),
  };
}

const OUTPUT_TOKENS_MEAN = 80;

// The simulated calendar begins at a fixed date, so that ids and receipts are the same in every run of a seed.
const EPOCH_WALL_MS = 1_767_225_600_000;

/** Simulated wall time. */
export function wallMsAt(nowUs: number): number {
  return EPOCH_WALL_MS + Math.floor(nowUs / 1000);
}

/** Draws requests and the gaps between them. Owned by the world. */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #gaps: Chance;
  readonly #jobs: Chance;
  readonly #ids: Chance;
  readonly #agents: Agents;
  readonly #random = new Uint8Array(12);
  readonly #words: Uint32Array;
  #isBurst = false;
  #leftInSpell = 0;

  constructor(seed: string, options: TrafficOptions) {
    this.#options = options;
    this.#gaps = new Chance(seed, "traffic/gaps");
    this.#jobs = new Chance(seed, "traffic/jobs");
    this.#ids = new Chance(seed, "traffic/ids");
    this.#agents = new Agents(seed, options.agents);
    this.#words = new Uint32Array(this.#random.buffer);
  }

  /** Microseconds until the next request. */
  nextGapUs(): number {
    if (this.#leftInSpell === 0) {
      this.#isBurst = !this.#isBurst;
      this.#leftInSpell = this.#gaps.integer(1, this.#options.spellRequests);
    }
    this.#leftInSpell -= 1;
    const meanUs = this.#isBurst ? this.#options.burstGapUs : this.#options.calmGapUs;
    return this.#gaps.integer(0, 2 * meanUs);
  }

  /** Whether the store can read the run of the job that comes next. */
  readsRun(): boolean {
    return this.#agents.reads();
  }

  nextJob(nowUs: number): Job {
    const chance = this.#jobs;
    const { tenants, models, unknownModels, unknownClasses, longPrompts, streamed, aliased } = this.#options;
    for (let word = 0; word < 3; word += 1) this.#words[word] = this.#ids.next();
    const stream = chance.odds(streamed, 1000);
    const promptTextLength = chance.odds(longPrompts, 1000)
      ? chance.integer(32_769, 4_000_000)
      : chance.integer(0, 9_000);
    return {
      requestId: uuidv7(wallMsAt(nowUs), this.#random),
      principal: { tenant: `tenant-${chance.integer(1, tenants)}`, project: null, user: null, key: null },
      class: chance.odds(unknownClasses, 1000) ? "unheard-of" : chance.odds(2, 3) ? "interactive" : "batch",
      model: chance.odds(unknownModels, 1000)
        ? "unheard-of"
        : chance.odds(aliased, 1000)
          ? chance.pick(ALIASES)
          : chance.pick(models),
      endpoint: chance.odds(9, 10) ? "chat" : "completions",
      stream,
      wantsUsage: stream && chance.odds(1, 2),
      bodyBytes: promptTextLength + 200,
      promptTextLength,
      maxOutputTokens: chance.odds(1, 2) ? chance.integer(1, 2 * OUTPUT_TOKENS_MEAN) : null,
      attributes: {},
      prefixHashes: [],
      blockTokens: null,
      run: this.#agents.nextCall(),
    };
  }
}
