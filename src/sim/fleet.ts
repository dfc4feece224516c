import { Chance } from "../base/chance.ts";
import type { BackendId } from "../base/ids.ts";
import type { Layer } from "../base/job.ts";
import { drawRunRules } from "./run-rules.ts";
import type { BackendConfig, KernelConfig, SiteConfig } from "../kernel/config.ts";

/** What an engine is really like; the kernel is told none of it. */
export interface EngineTruth {
  /** Requests at which its batch begins to slow down sharply. */
  readonly slots: number;
  /** Time to first token of an idle engine. */
  readonly ttftUs: number;
  /** Time per output token of an idle engine. */
  readonly tokenUs: number;
  /** How much each further request in the batch adds to a token's time, in thousandths. */
  readonly growthThousandths: number;
  readonly roundTripUs: number;
  /** How long it takes to start again. */
  readonly loadUs: number;
  /** Names that it reports when probed. */
  readonly models: readonly string[];
  /** Whether it says `first` before a whole answer, as some adapters do. */
  readonly saysFirstOfWhole: boolean;
}

/** A fleet that exists only as data: every backend that may ever be configured, and the first configuration. */
export interface Fleet {
  readonly pool: readonly BackendConfig[];
  readonly truths: ReadonlyMap<BackendId, EngineTruth>;
  readonly config: KernelConfig;
}

// The models that some backends of a drawn fleet have.
const MODELS: readonly string[] = ["small", "large", "code"];

/** Names that a drawn configuration may give to models. */
export const ALIASES = ["one-of-them", "some-of-them"] as const;

/** Draws a fleet. */
export function drawFleet(seed: string): Fleet {
  const chance = new Chance(seed, "fleet");
  const quotas = new Chance(seed, "fleet/quotas");
  const sites = Array.from({ length: chance.integer(1, 3) }, (_, index) => drawSite(chance, index));
  const truths = new Map<BackendId, EngineTruth>();
  const pool = Array.from({ length: chance.integer(1, 6) }, (_, index) => {
    const truth = drawTruth(chance);
    const backend = { ...drawBackend(chance, { index, truth, sites }), quota: drawQuota(quotas) };
    truths.set(backend.id, truth);
    return backend;
  });
  const config: KernelConfig = {
    version: 1,
    sites,
    backends: pool.filter((_, index) => index === 0 || chance.odds(4, 5)),
    models: {},
    aliases: drawAliases(new Chance(seed, "fleet/aliases")),
    access: {},
    emptyPools: [],
    classes: {
      interactive: { ttftMs: 500, tpotMs: 50, e2eMs: null },
      batch: { ttftMs: null, tpotMs: null, e2eMs: 60_000 },
    },
    limits: drawLimits(chance),
    runs: drawRunRules(seed),
    cooldown: { firstMs: chance.integer(10, 1000), maxMs: chance.integer(1000, 20_000) },
  };
  return { pool, truths, config };
}

function drawSite(chance: Chance, index: number): SiteConfig {
  return {
    id: `site-${index}`,
    layer: chance.pick<Layer>(["device", "enterprise", "region", "cloud"]),
    jurisdiction: chance.odds(1, 2) ? "eu" : null,
    pueThousandths: chance.odds(2, 3) ? chance.integer(1000, 2000) : null,
    electricityNanoUsdPerKwh: chance.odds(2, 3) ? chance.integer(0, 500_000_000) : null,
    gridMilligramsPerKwh: chance.odds(2, 3) ? chance.integer(0, 900_000) : null,
  };
}

function drawTruth(chance: Chance): EngineTruth {
  const names = MODELS.filter(() => chance.odds(2, 3));
  return {
    slots: chance.integer(1, 32),
    ttftUs: chance.integer(5_000, 300_000),
    tokenUs: chance.integer(2_000, 40_000),
    growthThousandths: chance.integer(0, 100),
    roundTripUs: chance.integer(100, 80_000),
    loadUs: chance.integer(200_000, 10_000_000),
    models: names.length > 0 ? names : [chance.pick(MODELS)],
    saysFirstOfWhole: chance.odds(1, 2),
  };
}

function drawBackend(
  chance: Chance,
  of: { readonly index: number; readonly truth: EngineTruth; readonly sites: readonly SiteConfig[] },
): BackendConfig {
  const { truth } = of;
  const named = Object.fromEntries(truth.models.map((model) => [model, chance.odds(1, 2) ? model : `up/${model}`]));
  const kind = chance.integer(1, 10);
  const anyName = chance.odds(1, 2) ? { "*": "*" } : { "*": "any/*", "s*": "up/s*" };
  return {
    id: `backend-${of.index}`,
    site: chance.pick(of.sites).id,
    models: kind <= 6 ? named : kind <= 8 ? null : anyName,
    endpoints: chance.odds(4, 5) ? ["chat", "completions"] : ["chat"],
    maxConcurrent: chance.odds(4, 5) ? chance.integer(1, truth.slots) : null,
    quota: null,
    contextTokens: chance.odds(1, 2) ? chance.pick([2_048, 8_192, 131_072]) : null,
    watts: chance.odds(3, 4) ? chance.integer(1, 10_000) : null,
    price: chance.odds(1, 2) ? drawPrice(chance) : null,
    drainMs: chance.odds(1, 3) ? chance.integer(10, 5_000) : null,
    watch: {
      connectMs: chance.integer(100, 500),
      headersMs: chance.integer(500, 5_000),
      firstMs: chance.integer(1_000, 6_000),
      idleMs: chance.integer(200, 2_000),
      totalMs: chance.integer(5_000, 30_000),
      progressEveryTokens: chance.pick([16, 64, 256]),
    },
  };
}

function drawPrice(chance: Chance): NonNullable<BackendConfig["price"]> {
  const inputNanoUsdPerMillion = chance.integer(0, 4_000_000_000);
  const cachedInputNanoUsdPerMillion = chance.odds(1, 2) ? chance.integer(0, 1_000_000_000) : null;
  return {
    inputNanoUsdPerMillion,
    cachedInputNanoUsdPerMillion,
    cacheWriteNanoUsdPerMillion: cachedInputNanoUsdPerMillion === null ? null : 2 * inputNanoUsdPerMillion,
    outputNanoUsdPerMillion: chance.integer(0, 4_000_000_000),
    reasoningNanoUsdPerMillion: chance.odds(1, 3) ? chance.integer(0, 4_000_000_000) : null,
  };
}

/** Names for one model and for several in order, one of which nobody may have. */
function drawAliases(chance: Chance): KernelConfig["aliases"] {
  if (chance.odds(1, 2)) return {};
  const several = [chance.pick(MODELS), "unheard-of", chance.pick(MODELS)];
  return { [ALIASES[0]]: [chance.pick(MODELS)], [ALIASES[1]]: [...new Set(several)] };
}

/** None for most backends; else what a provider grants, from what is hardly felt to what stops nearly everything. */
function drawQuota(chance: Chance): BackendConfig["quota"] {
  if (chance.odds(2, 3)) return null;
  const some = (low: number, high: number): number | null => (chance.odds(1, 2) ? chance.integer(low, high) : null);
  return {
    requestsPerMinute: some(1, 600),
    tokensPerMinute: some(100, 500_000),
    requestsPerDay: chance.odds(1, 5) ? chance.integer(1, 2_000) : null,
    tokensPerDay: chance.odds(1, 5) ? chance.integer(1_000, 5_000_000) : null,
    assumedOutputTokens: chance.integer(1, 400),
  };
}

function drawLimits(chance: Chance): KernelConfig["limits"] {
  return {
    maxQueued: chance.pick([0, 3, 30, 300]),
    queueTimeoutMs: chance.integer(200, 8_000),
    maxAttempts: chance.integer(1, 4),
    maxUnsettled: chance.pick([20, 500, 100_000]),
  };
}

/**
 * Draws a later configuration: backends come and go, limits, quotas, watts and prices change. Sites stay as they are, and so does
 * what a backend is (its site and whether its names are discovered), because those are another backend's.
 */
export function changeConfig(fleet: Fleet, before: KernelConfig, chance: Chance): KernelConfig {
  const kept = new Map(before.backends.map((backend) => [backend.id, backend]));
  const backends = fleet.pool
    .filter((each) => (kept.has(each.id) ? chance.odds(4, 5) : chance.odds(1, 2)))
    .map((each) => (chance.odds(1, 2) ? changeBackend(kept.get(each.id) ?? each, chance) : each));
  const limits = chance.odds(1, 3) ? drawLimits(chance) : before.limits;
  return { ...before, limits, backends: backends.length > 0 ? backends : [...fleet.pool] };
}

function changeBackend(backend: BackendConfig, chance: Chance): BackendConfig {
  return {
    ...backend,
    maxConcurrent: chance.odds(4, 5) ? chance.integer(1, 32) : null,
    watts: chance.odds(3, 4) ? chance.integer(1, 10_000) : null,
    price: chance.odds(1, 2) ? drawPrice(chance) : null,
    quota: chance.odds(1, 4) ? drawQuota(chance) : backend.quota,
  };
}
