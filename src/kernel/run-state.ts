import type { RunRecord } from "../base/run-record.ts";
import type { RunLimitKind, RunLimits } from "../base/run.ts";

/** What a call may use, as far as that can be told before it is sent. */
export interface Reservation {
  tokens: number;
  costNanoUsd: number;
  energyMilliJoules: number;
}

/** A call that was answered in a run. */
export interface AnsweredCall {
  readonly callHash: string;
  /** The step that was the first to be answered, and how many were. */
  readonly step: number;
  answered: number;
}

/** One run of an agent. Owned by the kernel; plain data. */
export interface RunState {
  readonly tenant: string;
  readonly runId: string;
  /** What the receipts of its steps tell; its limits and number of steps include the calls that have none yet. */
  readonly record: RunRecord;
  /** Steps that are not answered yet, and what is reserved for them. */
  inFlight: number;
  readonly reserved: Reservation;
  /** Calls without a durable receipt: until there is none the run must be kept, since the store does not know all of it. */
  undurable: number;
  lastUsedUs: number;
  /** The kind of limit that it met first, or null. */
  limitedBy: RunLimitKind | null;
  /** The latest different calls that were answered, the oldest first. */
  readonly answered: AnsweredCall[];
}

/** How an open request stands to its run. */
export interface RunMember {
  /** Its step, or null when it was refused. */
  readonly step: number | null;
  /** What is reserved for it until it is answered. */
  readonly reserved: Readonly<Reservation>;
  /** The limits in force when it came. */
  readonly limits: RunLimits;
}

/** The key of a run among all tenants'. No run's id has a space in it. */
export function runKey(tenant: string, runId: string): string {
  return `${runId} ${tenant}`;
}
