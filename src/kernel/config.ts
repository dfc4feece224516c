import type { BackendId } from "../base/ids.ts";
import type { Endpoint, Layer } from "../base/job.ts";
import type { RunLimits } from "../base/run.ts";
import type { ModelCard } from "../base/model.ts";
import type { TokenPrice } from "../cost/money.ts";
import type { Quota } from "../dispatch/quota.ts";
import type { TenantRules } from "../policy/access.ts";

/** The watch of one attempt, in milliseconds from its send (`idleMs`: from the last bytes). The shell enforces exactly these numbers. */
export interface Watch {
  /** Until a connection stands. */
  readonly connectMs: number;
  /** Until the response headers. */
  readonly headersMs: number;
  /** Until the first real content. */
  readonly firstMs: number;
  /** Between two pieces of the answer; time in which the client does not read does not count. */
  readonly idleMs: number;
  /** Until the end. */
  readonly totalMs: number;
  /** A `progress` event is sent each time this many output tokens have come. */
  readonly progressEveryTokens: number;
}

/** A backend's price list. */
export type Price = TokenPrice;

export interface SiteConfig {
  readonly id: string;
  readonly layer: Layer;
  readonly jurisdiction: string | null;
  /** Power usage effectiveness in thousandths (1250 = 1.25), or null when unknown. */
  readonly pueThousandths: number | null;
  /** Price of electricity in nano-dollars per kilowatt-hour, or null. */
  readonly electricityNanoUsdPerKwh: number | null;
  /** Carbon intensity of the grid in milligrams of CO2-equivalent per kilowatt-hour, or null. */
  readonly gridMilligramsPerKwh: number | null;
}

/**
 * How an engine is told of a LoRA adapter or a data-parallel rank, where the model's name alone does not say it. Made from the
 * configuration, in the engine's own words; the kernel passes it on.
 */
export interface Address {
  /** Top-level members of the body by name, each as JSON text. */
  readonly members: Readonly<Record<string, string>>;
  /** Headers by name, lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface BackendConfig {
  readonly id: BackendId;
  readonly site: string;
  /**
   * Client's model name → upstream's name; a name that ends with a star is a family, whose rest takes the place of the
   * upstream's star. Null: the names that the backend reports.
   */
  readonly models: Readonly<Record<string, string>> | null;
  /** By the client's model name, for those that need one. */
  readonly addresses?: Readonly<Record<string, Address>>;
  readonly endpoints: readonly Endpoint[];
  /** Requests it may hold at once, or null for no limit. Spent from a lease. */
  readonly maxConcurrent: number | null;
  /** What its provider grants, or null for no limit. */
  readonly quota: Quota | null;
  readonly contextTokens: number | null;
  /** Declared draw in watts while busy, or null. */
  readonly watts: number | null;
  readonly price: Price | null;
  /** How long an attempt may run on after its client left, so that its true usage is learned; null ends it at once. */
  readonly drainMs: number | null;
  readonly watch: Watch;
}

/** A pool whose members are found while it runs, each a backend of its own, at a time when it has none. */
export type EmptyPool = Pick<BackendConfig, "id" | "models" | "endpoints" | "contextTokens">;

/** A class's objective in milliseconds; null is no objective. */
export interface ClassConfig {
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number | null;
}

/** What holds for the runs of a tenant. */
export interface RunRules {
  readonly limits: RunLimits;
  /** Output tokens that are reserved for a call which does not say how many it may take. */
  readonly maxOutputTokens: number;
  /** Whether a run with a limit on dollars or joules may call where they cannot be told. */
  readonly unknown: "refuse" | "allow";
}

/** All that the kernel decides by. Made from baseload.yaml by the application; every default is filled in there. */
export interface KernelConfig {
  readonly version: 1;
  readonly sites: readonly SiteConfig[];
  readonly backends: readonly BackendConfig[];
  /** What is known of models, by name, whichever backend serves them. */
  readonly models: Readonly<Record<string, ModelCard>>;
  /** Names that stand for others: the models, none of them an alias, of which the first that some backend may serve is taken. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** Which models a tenant may use; a tenant that is not here may use every one. */
  readonly access: Readonly<Record<string, TenantRules>>;
  /** What they would serve is known, though nobody serves it now. */
  readonly emptyPools: readonly EmptyPool[];
  readonly classes: Readonly<Record<string, ClassConfig>>;
  readonly limits: {
    /** Requests that may wait for a backend. */
    readonly maxQueued: number;
    /** How long one may wait. */
    readonly queueTimeoutMs: number;
    /** Sends for one request, fallbacks included. */
    readonly maxAttempts: number;
    /** Receipts that may wait for the store before new requests are refused. */
    readonly maxUnsettled: number;
  };
  readonly runs: {
    readonly defaults: RunRules;
    /** Rules of tenants that have their own. */
    readonly tenants: Readonly<Record<string, RunRules>>;
    /** Runs kept in memory; the one that was used longest ago goes first, and comes back from its receipts. */
    readonly maxKept: number;
    /** A run without a call for so long is kept no longer. */
    readonly idleMs: number;
  };
  /** A backend that fails is passed over for `firstMs`, doubling with each failure in a row up to `maxMs`. */
  readonly cooldown: { readonly firstMs: number; readonly maxMs: number };
}
