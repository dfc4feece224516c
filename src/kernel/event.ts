import type { ErrorCode } from "../base/errors.ts";
import type { EngineObservation } from "../base/engine-observation.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import type { Job, Usage } from "../base/job.ts";
import type { RunRecord } from "../base/run-record.ts";
import type { KernelConfig } from "./config.ts";

/** The configuration in force from now on; always the first event. */
export interface Configured {
  readonly kind: "configured";
  readonly wallMs: number;
  readonly config: KernelConfig;
  /** Seed of the kernel's own random streams. */
  readonly seed: string;
}

/** A request came and was parsed; its body stays with the shell. */
export interface Arrived {
  readonly kind: "arrived";
  readonly wallMs: number;
  readonly job: Job;
}

/** What the store knows of a run, read before a call of a run that the kernel does not know; null says that it has no receipt. */
export interface Recalled {
  readonly kind: "recalled";
  readonly tenant: string;
  readonly runId: string;
  readonly record: RunRecord | null;
}

/** A store granted `amount` of `resource` in all; a later grant replaces an earlier one. */
export interface Leased {
  readonly kind: "leased";
  readonly resource: string;
  readonly amount: number;
}

/** An attempt's first real content came: not a role, not a comment. */
export interface First {
  readonly kind: "first";
  readonly requestId: RequestId;
  readonly attempt: number;
}

/** An attempt has made `outputTokens` so far, counted by the shell. */
export interface Progress {
  readonly kind: "progress";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly outputTokens: number;
}

/** An attempt ended well and completely. */
export interface Finished {
  readonly kind: "finished";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly status: number;
  readonly finishReason: string | null;
  readonly usage: Usage;
}

/** An attempt failed. `usage` is what it made until then. */
export interface Failed {
  readonly kind: "failed";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly code: ErrorCode;
  /** The upstream's HTTP status, or null when there was none. */
  readonly status: number | null;
  /** How long the upstream asks to be left alone, or null. */
  readonly retryAfterMs: number | null;
  readonly usage: Usage;
}

/** The client left or did not read, or the server stops. `attempt` is the one in flight, 0 when none was sent; it still runs. */
export interface Cancelled {
  readonly kind: "cancelled";
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly code: "client_gone" | "client_too_slow" | "shutting_down";
  readonly usage: Usage;
}

/** A wake that was asked for is due. */
export interface Woke {
  readonly kind: "woke";
  readonly requestId: RequestId;
  readonly attempt: number;
}

/** What a probe or a supervisor saw of a backend. */
export interface Observed {
  readonly kind: "observed";
  readonly backendId: BackendId;
  /** `starting` makes requests wait for it; `down` makes others be preferred. */
  readonly state: "up" | "starting" | "down";
  /** Model names it reports, or null when it was not asked. */
  readonly models: readonly string[] | null;
  readonly contextTokens: number | null;
  /** What the engine says of itself; absent where it says nothing or did not answer. */
  readonly observation?: EngineObservation;
}

/** The operator cordons a backend, so that it gets no more requests and keeps those that it has, or takes that back. */
export interface Cordoned {
  readonly kind: "cordoned";
  readonly backendId: BackendId;
  readonly cordoned: boolean;
}

/** A limit from outside changed: the watts that a site may draw, or null for none. */
export interface Limited {
  readonly kind: "limited";
  readonly site: string;
  readonly powerLimitWatts: number | null;
}

/** A group commit returned: these receipts are settled, with leaf indices from `firstLeafIndex` on in this order. */
export interface Appended {
  readonly kind: "appended";
  readonly firstLeafIndex: number;
  readonly requestIds: readonly RequestId[];
}

/** These postings are in the ledger. */
export interface Stored {
  readonly kind: "stored";
  readonly requestIds: readonly RequestId[];
}

export type Event =
  | Configured
  | Arrived
  | Recalled
  | Leased
  | First
  | Progress
  | Finished
  | Failed
  | Cancelled
  | Woke
  | Observed
  | Cordoned
  | Limited
  | Appended
  | Stored;
