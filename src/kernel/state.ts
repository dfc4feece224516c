import type { ErrorCode } from "../base/errors.ts";
import type { EngineObservation } from "../base/engine-observation.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import type { Job } from "../base/job.ts";
import type { Exclusion } from "../base/offer.ts";
import type { AttemptRecord, CostLine, Receipt } from "../base/receipt.ts";
import type { RunLimitKind } from "../base/run.ts";
import type { Table } from "../base/table.ts";
import { type BusyMeter, newBusyMeter } from "../cost/busy-meter.ts";
import { type Bucket, bucketsOf, type Charge } from "../dispatch/quota.ts";
import type { Capability } from "../policy/eligible.ts";
import type { RunMember, RunState } from "./run-state.ts";
import { servedModels } from "../policy/model-names.ts";
import type { BackendConfig, EmptyPool, KernelConfig, SiteConfig } from "./config.ts";

/** An engine's word and how old it is. Plain data. */
export interface ObservedState {
  readonly observation: EngineObservation;
  readonly atUs: number;
  /** True when the engine was asked since and did not answer. */
  readonly stale: boolean;
}

/** One backend as the kernel sees it. Owned by the kernel; plain data. */
export interface BackendState {
  readonly id: BackendId;
  config: BackendConfig;
  /** What it can do, with discovered models filled in. */
  capability: Capability;
  /** The names that it reported, or null: of these its families' members are listed. */
  reportedModels: readonly string[] | null;
  /** False when a later configuration no longer has it; it is dropped when its last request ends. */
  configured: boolean;
  starting: boolean;
  down: boolean;
  /** What its engine last said of itself, or null while it has said nothing. */
  observed: ObservedState | null;
  /** The operator wants it to get no more requests; a new configuration that still has it does not change that. */
  cordoned: boolean;
  inFlight: number;
  /** Leased concurrency; null is no limit. */
  capacity: number | null;
  /** What is left of its quota; none without one. */
  buckets: Bucket[];
  sends: number;
  failuresInRow: number;
  coolUntilUs: number;
  meter: BusyMeter;
  /** Nanojoules that are owed to receipts as a fraction of a millijoule. */
  nanoJoulesOwed: number;
}

/** A backend that a request waits for until its quota lets it go. */
export interface QuotaWait {
  readonly backendId: BackendId;
  readonly readyUs: number;
}

/** One request that is not yet answered. Owned by the kernel; plain data. */
export interface OpenRequest {
  readonly job: Job;
  readonly arrivedUs: number;
  readonly arrivedWallMs: number;
  phase: "queued" | "sent" | "streaming";
  /** Why the client has gone while the attempt in flight runs on for its usage alone, or null. */
  leftCode: "client_gone" | "client_too_slow" | null;
  /** Number of the latest send, 0 before the first. */
  attempt: number;
  backendId: BackendId | null;
  /** The model that the one asked for came to at the latest send. */
  resolvedModel: string | null;
  upstreamModel: string | null;
  sentUs: number;
  firstSentUs: number | null;
  firstUs: number | null;
  /** Output tokens that the shell has counted in this attempt. */
  outputTokens: number;
  readonly tried: BackendId[];
  excluded: readonly Exclusion[];
  reason: string;
  readonly attempts: AttemptRecord[];
  /** Mark in the backend's busy meter, or null when its watts were not declared at the send. */
  meterMark: number | null;
  energyMilliJoules: number | null;
  /** False once an attempt's backend had no declared watts. */
  isEnergyWhole: boolean;
  /** Electricity of each attempt at a backend without a price list, at its own site's price; null is unknown. */
  readonly electricity: { readonly attempt: number; readonly line: CostLine | null }[];
  carbonMicrograms: number | null;
  /** False once an attempt's energy or its grid's carbon intensity was unknown. */
  isCarbonWhole: boolean;
  /** What the attempt in flight took of its backend's quota. */
  quotaCharges: readonly Charge[];
  /** Deadline in the queue, or null when none was set. */
  queueDeadlineUs: number | null;
  /** How it stands to its run; null outside a run, and before that was looked at. */
  run: RunMember | null;
  /** When the wake that was asked for is due, or null when none is outstanding. */
  wakeUs: number | null;
  /** The quotas that it waits for, and when each lets it go; nobody younger is sent there before. */
  quotaWaits: readonly QuotaWait[];
  /** When the first quota that it was last passed over for lets it go, be that in time or not; null where none did. */
  quotaReadyUs: number | null;
  lastFailure: {
    readonly code: ErrorCode;
    readonly status: number | null;
    readonly retryAfterMs: number | null;
  } | null;
}

/** All that the kernel knows. Owned by `Kernel`. */
export interface State {
  config: KernelConfig;
  seed: string;
  readonly sites: Map<string, SiteConfig>;
  readonly backends: Map<BackendId, BackendState>;
  readonly open: Table<OpenRequest>;
  /** Requests in phase `queued`, oldest first. */
  readonly queue: Set<RequestId>;
  /** Receipts that wait for the store; the receipt stays until its posting is made. */
  readonly unsettled: Table<Receipt>;
  /** Postings that wait for the ledger. */
  readonly unposted: Set<RequestId>;
  readonly powerLimitWatts: Map<string, number>;
  /** Runs by tenant and id, the one that was used longest ago first. */
  readonly runs: Table<RunState>;
  /** How many runs met a limit, by its kind; since the start. */
  runsLimited: Readonly<Partial<Record<RunLimitKind, number>>>;
}

/** The name of the lease from which a backend's concurrency is spent. */
export function concurrencyResource(backendId: BackendId): string {
  return `backend/${backendId}/concurrency`;
}

/** A backend before its first request; without capacity until its lease is granted. */
export function newBackendState(config: BackendConfig, nowUs: number): BackendState {
  return {
    id: config.id,
    config,
    capability: capabilityOf(config),
    reportedModels: null,
    configured: true,
    starting: false,
    down: false,
    observed: null,
    cordoned: false,
    inFlight: 0,
    capacity: config.maxConcurrent === null ? null : 0,
    buckets: bucketsOf(config.quota, [], nowUs),
    sends: 0,
    failuresInRow: 0,
    coolUntilUs: 0,
    meter: newBusyMeter(nowUs),
    nanoJoulesOwed: 0,
  };
}

/** Whether the backend was taken out of the configuration and no open request was last sent to it: its receipts need it. */
export function mayForget(state: State, backend: BackendState): boolean {
  if (backend.configured || backend.inFlight > 0) return false;
  for (const request of state.open.values()) if (request.backendId === backend.id) return false;
  return true;
}

/** What a configuration says that a backend, or a pool, can do. */
export function capabilityOf(config: EmptyPool): Capability {
  const { endpoints, contextTokens } = config;
  if (config.models === null) return { models: null, patterns: [], endpoints, contextTokens };
  return { ...servedModels(config.models), endpoints, contextTokens };
}
