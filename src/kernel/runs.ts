import { assert, present } from "../base/assert.ts";
import type { Job } from "../base/job.ts";
import type { Receipt } from "../base/receipt.ts";
import { addToRun, newRunRecord, type RunRecord } from "../base/run-record.ts";
import { tighten } from "../base/run.ts";
import type { Command } from "./command.ts";
import type { RunRules } from "./config.ts";
import type { Recalled } from "./event.ts";
import { limitRefusal, reservationOf, type RunRefusal } from "./run-limits.ts";
import { type Reservation, runKey, type RunState } from "./run-state.ts";
import type { OpenRequest, State } from "./state.ts";

/** A run as it stands. */
export interface RunView {
  readonly record: RunRecord;
  readonly inFlight: number;
  readonly reserved: Readonly<Reservation>;
  readonly limitedBy: RunState["limitedBy"];
}

// More different calls than a loop goes through; an agent's messages grow, so that older ones do not come again.
const ANSWERED_KEPT = 64;

const NOTHING: Readonly<Reservation> = { tokens: 0, costNanoUsd: 0, energyMilliJoules: 0 };

/** The store said what it knows of a run. Where the run is kept already, the kernel knows more than the store. */
export function onRecalled(state: State, nowUs: number, { tenant, runId, record }: Recalled): void {
  const key = runKey(tenant, runId);
  if (state.runs.has(key)) return;
  makeRoom(state, nowUs);
  state.runs.set(key, {
    tenant,
    runId,
    record: record === null ? newRunRecord() : copyOf(record),
    inFlight: 0,
    reserved: { ...NOTHING },
    undurable: 0,
    lastUsedUs: nowUs,
    limitedBy: null,
    answered: [],
  });
}

/** Lets an arrived call join the run that it names, or says why it may not. A call that names none has nothing to join. */
export function joinRun(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[] },
): Pick<RunRefusal, "code" | "detail"> | null {
  const { job, arrivedWallMs } = request;
  if (job.run === null) return null;
  const run = state.runs.get(runKey(job.principal.tenant, job.run.runId));
  // Its earlier steps could not be read, and limits that begin anew would be none.
  if (run === undefined) return { code: "storage_unavailable", detail: "the run's earlier receipts cannot be read" };
  touch(state, run, io.nowUs);
  const rules = rulesOf(state, job);
  const limits = tighten(run.record.limits, tighten(rules.limits, job.run.limits));
  run.record.limits = limits;
  run.undurable += 1;
  const joining = { run, job, call: job.run, rules, wallMs: arrivedWallMs };
  const reserved = reservationOf(state, joining);
  const refusal = limitRefusal(state, joining, reserved);
  if (refusal !== null) {
    if (refusal.kind !== null) countLimited(state, run, refusal.kind);
    request.run = { step: null, reserved: NOTHING, limits };
    return refusal;
  }
  run.record.steps += 1;
  run.record.firstWallMs ??= arrivedWallMs;
  run.inFlight += 1;
  addReservation(run, reserved, 1);
  request.run = { step: run.record.steps, reserved, limits };
  io.out.push({ kind: "join", requestId: job.requestId, step: run.record.steps });
  return null;
}

/** A request has its receipt: its step counts by what it really used, and nothing is reserved for it any more. */
export function leaveRun(
  state: State,
  nowUs: number,
  of: { readonly request: OpenRequest; readonly receipt: Receipt },
): void {
  const { request, receipt } = of;
  const { job, run: member } = request;
  if (job.run === null || member === null || member.step === null) return;
  const run = keptRun(state, job.principal.tenant, job.run.runId);
  run.inFlight -= 1;
  assert(run.inFlight >= 0, `run ${run.runId} has less than no step in flight`);
  addReservation(run, member.reserved, -1);
  addToRun(run.record, receipt);
  touch(state, run, nowUs);
  const { callHash } = job.run;
  if (receipt.outcome === "completed" && callHash !== null) countAnswered(run, callHash, member.step);
}

/** A receipt is durable, so that the store knows of its call. */
export function onDurable(state: State, { runId, runLimits, principal }: Receipt): void {
  // Without limits it was refused before its run was looked at.
  if (runId === null || runLimits === null) return;
  const run = keptRun(state, principal.tenant, runId);
  run.undurable -= 1;
  assert(run.undurable >= 0, `run ${runId} has less than no call to be stored`);
}

/** How a run stands, or null when it is not kept. */
export function viewRun(state: State, tenant: string, runId: string): RunView | null {
  const run = state.runs.get(runKey(tenant, runId));
  if (run === undefined) return null;
  const { record, inFlight, reserved, limitedBy } = run;
  return { record, inFlight, reserved, limitedBy };
}

function keptRun(state: State, tenant: string, runId: string): RunState {
  return present(state.runs.get(runKey(tenant, runId)), `run ${runId} has calls that are not stored, and is kept`);
}

function rulesOf({ config: { runs } }: State, { principal: { tenant } }: Job): RunRules {
  return Object.hasOwn(runs.tenants, tenant) ? (runs.tenants[tenant] as RunRules) : runs.defaults;
}

/** Moves the run to the end of those that may be forgotten. */
function touch(state: State, run: RunState, nowUs: number): void {
  run.lastUsedUs = nowUs;
  const key = runKey(run.tenant, run.runId);
  state.runs.delete(key);
  state.runs.set(key, run);
}

/** Forgets runs that were idle for long, and the ones used longest ago while there are too many; none that the store does not know. */
function makeRoom(state: State, nowUs: number): void {
  const { maxKept, idleMs } = state.config.runs;
  for (const run of state.runs.values()) {
    const isIdle = nowUs - run.lastUsedUs >= idleMs * 1000;
    if (!isIdle && state.runs.size < maxKept) return;
    if (run.undurable === 0) state.runs.delete(runKey(run.tenant, run.runId));
  }
}

function addReservation(run: RunState, by: Readonly<Reservation>, sign: 1 | -1): void {
  const { reserved } = run;
  reserved.tokens += sign * by.tokens;
  reserved.costNanoUsd += sign * by.costNanoUsd;
  reserved.energyMilliJoules += sign * by.energyMilliJoules;
}

function countAnswered(run: RunState, callHash: string, step: number): void {
  const index = run.answered.findIndex((call) => call.callHash === callHash);
  const [before] = index === -1 ? [] : run.answered.splice(index, 1);
  run.answered.push({ callHash, step: before?.step ?? step, answered: (before?.answered ?? 0) + 1 });
  if (run.answered.length > ANSWERED_KEPT) run.answered.shift();
}

function countLimited(state: State, run: RunState, kind: NonNullable<RunState["limitedBy"]>): void {
  if (run.limitedBy !== null) return;
  run.limitedBy = kind;
  state.runsLimited = { ...state.runsLimited, [kind]: (state.runsLimited[kind] ?? 0) + 1 };
}

/** The event stays the journal's. */
function copyOf(record: RunRecord): RunRecord {
  return JSON.parse(JSON.stringify(record)) as RunRecord;
}
