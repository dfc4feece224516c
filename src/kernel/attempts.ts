import { assert, present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { RequestId } from "../base/ids.ts";
import type { Usage } from "../base/job.ts";
import { carbonMicrograms, electricityLine } from "../cost/money.ts";
import { leaveBusy } from "../cost/busy-meter.ts";
import { settleTokens } from "../dispatch/quota.ts";
import { blamesBackend, coolDownMs, mayFallBack } from "../dispatch/retry.ts";
import { drainQueue, NOBODY_AHEAD, place, refuse } from "./admission.ts";
import type { Command } from "./command.ts";
import type { Cancelled, Failed, Finished, First, Progress } from "./event.ts";
import { type End, settle } from "./settle.ts";
import type { BackendState, OpenRequest, State } from "./state.ts";

/** The open request whose attempt in flight this is, or null when the event is stale. */
function current(state: State, requestId: RequestId, attempt: number): OpenRequest | null {
  const request = state.open.get(requestId);
  if (request === undefined || request.phase === "queued" || request.attempt !== attempt) return null;
  return request;
}

/** First real content: from now on nothing is retried, and the headers go out. */
export function onFirst(state: State, nowUs: number, io: { readonly event: First; readonly out: Command[] }): void {
  const { requestId, attempt } = io.event;
  const request = current(state, requestId, attempt);
  if (request === null || request.phase !== "sent") return;
  request.phase = "streaming";
  request.firstUs = nowUs;
  if (request.leftCode === null) io.out.push({ kind: "commit", requestId, attempt });
}

/** Tokens made so far. */
export function onProgress(state: State, event: Progress): void {
  const request = current(state, event.requestId, event.attempt);
  if (request !== null) request.outputTokens = event.outputTokens;
}

/** The attempt ended well: the answer ends, the receipt is made. */
export function onFinished(
  state: State,
  nowUs: number,
  io: { readonly event: Finished; readonly out: Command[] },
): void {
  const { event, out } = io;
  const { requestId, attempt } = event;
  const request = current(state, requestId, attempt);
  if (request === null) return;
  const backend = leave(state, request, { nowUs, result: "completed", status: event.status, usage: event.usage });
  backend.failuresInRow = 0;
  backend.coolUntilUs = 0;
  if (request.leftCode !== null) {
    settleLeft(state, request, { nowUs, out, code: null, finishReason: event.finishReason, usage: event.usage });
    return;
  }
  if (request.phase === "sent") out.push({ kind: "commit", requestId, attempt });
  out.push({ kind: "answer", requestId, attempt, result: { ok: true } });
  settle(state, request, {
    nowUs,
    out,
    outcome: "completed",
    code: null,
    finishReason: event.finishReason,
    usage: event.usage,
  });
  drainQueue(state, nowUs, out);
}

/** The attempt failed: another backend is tried while nothing went to the client, else the answer ends with an error. */
export function onFailed(state: State, nowUs: number, io: { readonly event: Failed; readonly out: Command[] }): void {
  const { event, out } = io;
  const request = current(state, event.requestId, event.attempt);
  if (request === null) return;
  const backend = leave(state, request, { nowUs, result: event.code, status: event.status, usage: event.usage });
  if (blamesBackend(event)) {
    backend.failuresInRow += 1;
    const coolMs = coolDownMs(backend.failuresInRow, event.retryAfterMs, state.config.cooldown);
    backend.coolUntilUs = nowUs + Math.round(coolMs * 1000);
  }
  if (request.leftCode !== null) {
    settleLeft(state, request, { nowUs, out, code: event.code, finishReason: null, usage: event.usage });
    return;
  }
  request.lastFailure = { code: event.code, status: event.status, retryAfterMs: event.retryAfterMs };
  if (request.phase === "streaming") {
    endWithError(state, request, { nowUs, event, out });
  } else if (mayFallBack(event) && request.attempt < state.config.limits.maxAttempts) {
    place(state, request, { nowUs, out, ahead: NOBODY_AHEAD });
  } else {
    refuse(state, request, { nowUs, out, code: event.code, detail: null });
  }
  drainQueue(state, nowUs, out);
}

function endWithError(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly event: Failed; readonly out: Command[] },
): void {
  const { code, usage } = io.event;
  io.out.push({
    kind: "answer",
    requestId: request.job.requestId,
    attempt: request.attempt,
    result: { ok: false, code, relay: false, retryAfterMs: null, detail: null },
  });
  settle(state, request, { nowUs: io.nowUs, out: io.out, outcome: "failed", code, finishReason: null, usage });
}

/**
 * The client left or the server stops: the attempt in flight is aborted, and what it made is on the receipt. Where the
 * backend drains, an attempt whose client left runs on for a bounded time, and its true usage is on the receipt.
 */
export function onCancelled(
  state: State,
  nowUs: number,
  io: { readonly event: Cancelled; readonly out: Command[] },
): void {
  const { event, out } = io;
  const { requestId } = event;
  const request = state.open.get(requestId);
  if (request === undefined) return;
  if (request.phase === "queued") {
    state.queue.delete(requestId);
  } else {
    assert(request.attempt === event.attempt, `cancelled names attempt ${event.attempt}, not ${request.attempt}`);
    const { attempt } = request;
    const drainMs = drainMsOf(state, request);
    if (event.code !== "shutting_down" && drainMs !== null) {
      assert(request.leftCode === null, `the client of ${requestId} left twice`);
      request.leftCode = event.code;
      out.push({ kind: "abort", requestId, attempt, withinMs: drainMs });
      return;
    }
    leave(state, request, { nowUs, result: "cancelled", status: null, usage: event.usage });
    out.push({ kind: "abort", requestId, attempt, withinMs: 0 });
  }
  if (event.code === "shutting_down" && request.leftCode === null) {
    out.push({
      kind: "answer",
      requestId,
      attempt: request.attempt,
      result: { ok: false, code: event.code, relay: false, retryAfterMs: null, detail: null },
    });
  }
  settleLeft(state, request, { nowUs, out, code: event.code, finishReason: null, usage: event.usage });
}

function drainMsOf(state: State, request: OpenRequest): number | null {
  return present(state.backends.get(present(request.backendId, "sent somewhere")), "its backend exists").config.drainMs;
}

/** Closes a request that has no client any more. */
function settleLeft(state: State, request: OpenRequest, end: Omit<End, "outcome">): void {
  settle(state, request, { ...end, outcome: "cancelled", code: request.leftCode ?? end.code });
  drainQueue(state, end.nowUs, end.out);
}

/** Takes the attempt off its backend and adds what it used there to the request. */
function leave(
  state: State,
  request: OpenRequest,
  end: {
    readonly nowUs: number;
    readonly result: ErrorCode | "completed" | "cancelled";
    readonly status: number | null;
    readonly usage: Usage;
  },
): BackendState {
  const backend = present(state.backends.get(present(request.backendId, "sent somewhere")), "its backend exists");
  backend.inFlight -= 1;
  assert(backend.inFlight >= 0, `backend ${backend.id} has less than no request`);
  request.attempts.push({
    attempt: request.attempt,
    backendId: backend.id,
    sentUs: request.sentUs - request.arrivedUs,
    endedUs: end.nowUs - request.arrivedUs,
    result: end.result,
    status: end.status,
  });
  settleQuota(request, { backend, ...end });
  addEnergy(state, request, { backend, nowUs: end.nowUs });
  return backend;
}

/** Settles what the attempt took of the quota. Where its usage is unknown that stands, for the provider may have counted as much. */
function settleQuota(
  request: OpenRequest,
  end: {
    readonly backend: BackendState;
    readonly nowUs: number;
    readonly result: string;
    readonly usage: Usage;
  },
): void {
  const charges = request.quotaCharges;
  if (charges.length === 0) return;
  request.quotaCharges = [];
  const { inputTokens, outputTokens } = end.usage;
  const isUnseen = NEVER_REACHED.has(end.result);
  if (!isUnseen && (inputTokens === null || outputTokens === null)) return;
  const used = isUnseen ? 0 : (inputTokens ?? 0) + (outputTokens ?? 0);
  settleTokens(end.backend.buckets, { charges, used }, end.nowUs);
}

// The provider never saw these.
const NEVER_REACHED: ReadonlySet<string> = new Set<ErrorCode>(["upstream_unreachable", "upstream_connect_timeout"]);

function addEnergy(
  state: State,
  request: OpenRequest,
  at: { readonly backend: BackendState; readonly nowUs: number },
): void {
  const { backend, nowUs } = at;
  const { attempt, meterMark } = request;
  const isPriced = backend.config.price !== null;
  if (meterMark === null) {
    request.isEnergyWhole = false;
    request.isCarbonWhole = false;
    if (!isPriced) request.electricity.push({ attempt, line: null });
    return;
  }
  // A new configuration may have changed the watts since the send; it brought the meter to its time at the old ones.
  const share = leaveBusy(backend.meter, nowUs, { watts: backend.config.watts ?? 0, mark: meterMark });
  const site = present(state.sites.get(backend.config.site), "a backend's site is configured");
  const milliJoules = facilityMilliJoules(backend, share, site.pueThousandths ?? 1000);
  request.energyMilliJoules = (request.energyMilliJoules ?? 0) + milliJoules;
  if (!isPriced) {
    const price = site.electricityNanoUsdPerKwh;
    request.electricity.push({ attempt, line: price === null ? null : electricityLine(milliJoules, price) });
  }
  if (site.gridMilligramsPerKwh === null) {
    request.isCarbonWhole = false;
    return;
  }
  const carbon = carbonMicrograms(milliJoules, site.gridMilligramsPerKwh);
  request.carbonMicrograms = (request.carbonMicrograms ?? 0) + carbon;
}

/**
 * The share with PUE in whole millijoules. Microjoules × thousandths are nanojoules, so nothing is rounded: what is less
 * than a millijoule is owed to the backend's next receipt.
 */
function facilityMilliJoules(backend: BackendState, shareMicroJoules: number, pueThousandths: number): number {
  const wholeMilliJoules = Math.floor(shareMicroJoules / 1000);
  const restMicroJoules = shareMicroJoules - wholeMilliJoules * 1000;
  const microJoules = wholeMilliJoules * pueThousandths;
  const milliJoules = Math.floor(microJoules / 1000);
  const nanoJoules =
    (microJoules - milliJoules * 1000) * 1000 + restMicroJoules * pueThousandths + backend.nanoJoulesOwed;
  const carriedMilliJoules = Math.floor(nanoJoules / 1_000_000);
  backend.nanoJoulesOwed = nanoJoules - carriedMilliJoules * 1_000_000;
  return milliJoules + carriedMilliJoules;
}
