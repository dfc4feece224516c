import type { BackendId } from "./ids.ts";

/**
 * What serving a request on one backend would take. Today's offer is its load; seconds, joules and dollars join it as
 * fields, and `dispatch/choose.ts` is where they will be compared.
 */
export interface Offer {
  readonly backendId: BackendId;
  /** Requests in flight there now. */
  readonly inFlight: number;
  /** Requests it may hold at once, or null when unlimited. */
  readonly capacity: number | null;
  /** True while it is passed over if another backend fits, because it failed lately. */
  readonly cooling: boolean;
  /** When its cool-down ends, in monotonic microseconds; 0 when it is not cooling. */
  readonly coolUntilUs: number;
  /** When its quota, and those who wait for it already, let this request go, in monotonic microseconds; null is now. */
  readonly quotaReadyUs: number | null;
}

/** Why a backend was not chosen. */
export type ExclusionReason =
  | "model_not_served"
  | "models_unknown"
  | "no_members"
  | "endpoint_not_served"
  | "context_too_small"
  | "output_too_long"
  | "content_unsupported"
  | "cordoned"
  | "at_capacity"
  | "quota_spent"
  | "cooling_down"
  | "already_tried"
  | "busier";

export interface Exclusion {
  readonly backendId: BackendId;
  readonly reason: ExclusionReason;
  /** Of an alias with several models: the earlier one that this backend would not serve. Absent: the model that it came to. */
  readonly model?: string;
}
