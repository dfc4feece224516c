import { assert, present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { BackendId } from "../base/ids.ts";
import { joinBusy } from "../cost/busy-meter.ts";
import { choose } from "../dispatch/choose.ts";
import { reservationOf, take } from "../dispatch/quota.ts";
import { relays } from "../dispatch/retry.ts";
import { upstreamModelOf } from "../policy/eligible.ts";
import type { Command, Edits } from "./command.ts";
import type { Watch } from "./config.ts";
import type { Arrived, Woke } from "./event.ts";
import { joinRun } from "./runs.ts";
import { marketFor, type Moment, refusalOf } from "./offers.ts";
import { settle } from "./settle.ts";
import type { BackendState, OpenRequest, State } from "./state.ts";
import { type Job, UNKNOWN_USAGE } from "../base/job.ts";

/** A request arrived: it is sent, queued or refused at once. */
export function onArrived(state: State, nowUs: number, io: { readonly event: Arrived; readonly out: Command[] }): void {
  const { job, wallMs } = io.event;
  assert(
    !state.open.has(job.requestId) && !state.unsettled.has(job.requestId),
    `request ${job.requestId} arrived twice`,
  );
  const request: OpenRequest = {
    job,
    arrivedUs: nowUs,
    arrivedWallMs: wallMs,
    phase: "queued",
    leftCode: null,
    attempt: 0,
    backendId: null,
    resolvedModel: null,
    upstreamModel: null,
    sentUs: 0,
    firstSentUs: null,
    firstUs: null,
    outputTokens: 0,
    tried: [],
    excluded: [],
    reason: "",
    attempts: [],
    meterMark: null,
    energyMilliJoules: null,
    isEnergyWhole: true,
    electricity: [],
    carbonMicrograms: null,
    isCarbonWhole: true,
    quotaCharges: NO_CHARGES,
    queueDeadlineUs: null,
    run: null,
    wakeUs: null,
    quotaWaits: NO_WAITS,
    quotaReadyUs: null,
    lastFailure: null,
  };
  state.open.set(job.requestId, request);
  if (state.unsettled.size >= state.config.limits.maxUnsettled) {
    refuse(state, request, { nowUs, out: io.out, code: "storage_unavailable", detail: null });
    return;
  }
  if (!Object.hasOwn(state.config.classes, job.class)) {
    refuse(state, request, { nowUs, out: io.out, code: "unknown_class", detail: job.class });
    return;
  }
  const refusal = joinRun(state, request, { nowUs, out: io.out });
  if (refusal !== null) {
    refuse(state, request, { nowUs, out: io.out, ...refusal });
    return;
  }
  place(state, request, { nowUs, out: io.out, ahead: waitsOf(state) });
}

/** A wake came: the request's quota may let it go now, or its time in the queue is over. A wake that is not its latest is stale. */
export function onWoke(state: State, nowUs: number, io: { readonly event: Woke; readonly out: Command[] }): void {
  const { requestId, attempt } = io.event;
  const request = state.open.get(requestId);
  if (request === undefined || request.phase !== "queued" || request.attempt !== attempt) return;
  if (request.wakeUs === null || nowUs < request.wakeUs) return;
  request.wakeUs = null;
  const deadlineUs = present(request.queueDeadlineUs, "a queued request has a deadline");
  const { out } = io;
  if (nowUs < deadlineUs) {
    drainQueue(state, nowUs, out);
    if (state.queue.has(requestId)) wakeAt(request, deadlineUs, out);
    return;
  }
  state.queue.delete(requestId);
  const waitedForQuota = request.quotaWaits.length > 0;
  const { quotaReadyUs } = request;
  const isFull = request.excluded.some(({ reason }) => reason === "at_capacity");
  if (isFull || quotaReadyUs === null) refuse(state, request, { nowUs, out, code: "queue_timeout", detail: null });
  else refuseForQuota(state, request, { nowUs, out, readyUs: quotaReadyUs });
  // Those who waited behind it may go now.
  if (waitedForQuota) drainQueue(state, nowUs, out);
}

/** The fleet changed: each request in the queue is sent, goes on waiting, or is refused since nothing may serve it now. */
export function reviewQueue(state: State, nowUs: number, out: Command[]): void {
  placeQueue(state, { nowUs, out, goesOn: () => true });
}

/** Something became free: the oldest requests that fit are sent. */
export function drainQueue(state: State, nowUs: number, out: Command[]): void {
  placeQueue(state, { nowUs, out, goesOn: (ahead) => anyFree(state, ahead) });
}

/** Places the requests in the queue, oldest first, while `goesOn`, which is told of the quotas that those placed wait for. */
function placeQueue(
  state: State,
  io: {
    readonly nowUs: number;
    readonly out: Command[];
    readonly goesOn: (ahead: ReadonlyMap<BackendId, number>) => boolean;
  },
): void {
  const ahead = new Map<BackendId, number>();
  for (const requestId of state.queue) {
    if (!io.goesOn(ahead)) return;
    const request = present(state.open.get(requestId), "a queued request is open");
    place(state, request, { ...io, ahead });
    if (state.queue.has(requestId)) addWaits(ahead, request);
  }
}

/** Whether some backend can take a request that is younger than those who wait for a quota already. */
function anyFree(state: State, ahead: ReadonlyMap<BackendId, number>): boolean {
  for (const backend of state.backends.values()) {
    if (!backend.configured || backend.starting || backend.cordoned || ahead.has(backend.id)) continue;
    if (backend.capacity === null || backend.inFlight < backend.capacity) return true;
  }
  return false;
}

/** The quotas that requests in the queue wait for, and when each lets the last of them go. */
function waitsOf(state: State): ReadonlyMap<BackendId, number> {
  if (state.queue.size === 0 || !hasQuota(state)) return NOBODY_AHEAD;
  const ahead = new Map<BackendId, number>();
  for (const requestId of state.queue) {
    addWaits(ahead, present(state.open.get(requestId), "a queued request is open"));
  }
  return ahead;
}

function hasQuota(state: State): boolean {
  for (const { buckets } of state.backends.values()) if (buckets.length > 0) return true;
  return false;
}

function addWaits(ahead: Map<BackendId, number>, { quotaWaits }: OpenRequest): void {
  for (const { backendId, readyUs } of quotaWaits) ahead.set(backendId, Math.max(ahead.get(backendId) ?? 0, readyUs));
}

// Most requests have none, and an array each would be waste.
const NO_WAITS: OpenRequest["quotaWaits"] = [];
const NO_CHARGES: OpenRequest["quotaCharges"] = [];

/** What a request is placed with: the moment, and what is ordered. */
export type Placing = Moment & { readonly out: Command[] };

/** Nobody is ahead of a request that is sent again: it was sent before all who wait. */
export const NOBODY_AHEAD: Moment["ahead"] = new Map();

/** Sends the request to the best backend, or queues it, or answers that none will do. */
export function place(state: State, request: OpenRequest, io: Placing): void {
  const { model, offers, excluded } = marketFor(state, request, io);
  const choice = choose(offers, excluded, (offer) => state.backends.get(offer.backendId)?.sends ?? 0);
  request.excluded = choice.excluded;
  request.quotaWaits = NO_WAITS;
  request.quotaReadyUs = choice.kind === "wait" ? choice.readyUs : null;
  if (choice.kind === "chosen") {
    request.reason = request.attempts.length === 0 ? choice.reason : "fallback";
    const backend = present(state.backends.get(choice.offer.backendId), "a chosen backend exists");
    send(state, request, { ...io, model, backend });
    return;
  }
  const deadlineUs = request.queueDeadlineUs ?? io.nowUs + state.config.limits.queueTimeoutMs * 1000;
  const readyUs = choice.kind === "wait" ? choice.readyUs : null;
  const isInTime = readyUs !== null && readyUs < deadlineUs;
  if (isInTime || (choice.kind === "wait" && choice.isFull) || waitsForBackend(state, request)) {
    request.quotaWaits = offers.flatMap(({ backendId, quotaReadyUs }) =>
      quotaReadyUs === null || quotaReadyUs >= deadlineUs ? [] : [{ backendId, readyUs: quotaReadyUs }],
    );
    enqueue(state, request, { ...io, deadlineUs, wakeUs: isInTime ? readyUs : deadlineUs });
    return;
  }
  const failure = request.lastFailure;
  // Every backend that may serve it was tried: the last failure is the answer.
  if (failure !== null) refuse(state, request, { ...io, code: failure.code, detail: null });
  else if (readyUs !== null) refuseForQuota(state, request, { ...io, readyUs });
  else refuse(state, request, { ...io, ...refusalOf(state.config, request.job, choice.excluded) });
}

/**
 * Whether a backend that would do is cordoned, or may turn out to do: it may be had before the deadline. A request that failed
 * elsewhere just now has its answer, and does not begin to wait for a backend that may be gone for hours.
 */
function waitsForBackend(state: State, request: OpenRequest): boolean {
  const isAwaited = request.excluded.some(({ backendId, reason }) =>
    // One that is starting is being asked for its models just now.
    reason === "models_unknown" ? state.backends.get(backendId)?.starting === true : reason === "cordoned",
  );
  return isAwaited && (request.lastFailure === null || state.queue.has(request.job.requestId));
}

function enqueue(
  state: State,
  request: OpenRequest,
  io: Placing & { readonly deadlineUs: number; readonly wakeUs: number },
): void {
  const { requestId } = request.job;
  request.phase = "queued";
  if (!state.queue.has(requestId)) {
    if (state.queue.size >= state.config.limits.maxQueued) {
      refuse(state, request, { ...io, code: "queue_full", detail: null });
      return;
    }
    state.queue.add(requestId);
    request.queueDeadlineUs = io.deadlineUs;
    request.wakeUs = null;
  }
  wakeAt(request, io.wakeUs, io.out);
}

/** Asks for a wake, unless one that is due no later is outstanding. */
function wakeAt(request: OpenRequest, atUs: number, out: Command[]): void {
  if (request.wakeUs !== null && request.wakeUs <= atUs) return;
  request.wakeUs = atUs;
  out.push({ kind: "wake", requestId: request.job.requestId, attempt: request.attempt, atUs });
}

function send(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[]; readonly model: string; readonly backend: BackendState },
): void {
  const { nowUs, model, backend } = io;
  const { job } = request;
  state.queue.delete(job.requestId);
  const upstreamModel = present(upstreamModelOf(backend.capability, model), "a chosen backend serves the model");
  request.phase = "sent";
  request.attempt += 1;
  request.backendId = backend.id;
  request.resolvedModel = model;
  request.upstreamModel = upstreamModel;
  request.sentUs = nowUs;
  request.firstSentUs ??= nowUs;
  request.outputTokens = 0;
  request.queueDeadlineUs = null;
  request.wakeUs = null;
  const { quota } = backend.config;
  request.quotaCharges = quota === null ? NO_CHARGES : take(backend.buckets, reservationOf(job, quota), nowUs);
  request.tried.push(backend.id);
  backend.inFlight += 1;
  backend.sends += 1;
  assert(backend.capacity === null || backend.inFlight <= backend.capacity, `backend ${backend.id} is over its limit`);
  request.meterMark = backend.config.watts === null ? null : joinBusy(backend.meter, nowUs, backend.config.watts);
  io.out.push({
    kind: "send",
    requestId: job.requestId,
    attempt: request.attempt,
    backendId: backend.id,
    upstreamModel,
    edits: editsOf(backend, job, { model, upstreamModel }),
    watch: job.stream ? backend.config.watch : wholeAnswerWatch(backend.config.watch),
  });
}

/** What is changed in the body; the address only where there is one, so that journals hold no empty ones. */
function editsOf(
  { config }: BackendState,
  job: Job,
  names: { readonly model: string; readonly upstreamModel: string },
): Edits {
  const { model, upstreamModel } = names;
  const addresses = config.addresses ?? {};
  const address = Object.hasOwn(addresses, model) ? addresses[model] : undefined;
  return {
    model: upstreamModel === job.model ? null : upstreamModel,
    forceUsage: job.stream && !job.wantsUsage,
    ...(address === undefined ? {} : { address }),
  };
}

/** An answer that is not streamed sends nothing until it is complete, so only its total can be watched. */
function wholeAnswerWatch(watch: Watch): Watch {
  return { ...watch, headersMs: watch.totalMs, firstMs: watch.totalMs };
}

const RETRY_AFTER_MS = 1000;
/** Refusals of our own that pass without anybody changing the request. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["no_members", "queue_full", "queue_timeout", "storage_unavailable"]);

function refuseForQuota(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[]; readonly readyUs: number },
): void {
  const waitMs = Math.ceil((io.readyUs - io.nowUs) / 1000);
  const retryAfterMs = waitMs > 0 ? waitMs : RETRY_AFTER_MS;
  refuse(state, request, { ...io, code: "quota_exceeded", detail: null, retryAfterMs });
}

/** Answers with an error before anything went to the client, and settles. */
export function refuse(
  state: State,
  request: OpenRequest,
  io: {
    readonly nowUs: number;
    readonly out: Command[];
    readonly code: ErrorCode;
    readonly detail: string | null;
    /** When the same request may succeed, where that is known. */
    readonly retryAfterMs?: number;
  },
): void {
  const failure = request.lastFailure;
  const fromUpstream = failure !== null && failure.code === io.code;
  const relay = fromUpstream && relays(failure);
  const waits = PASSING.has(io.code);
  io.out.push({
    kind: "answer",
    requestId: request.job.requestId,
    attempt: request.attempt,
    result: {
      ok: false,
      code: io.code,
      relay,
      retryAfterMs: fromUpstream ? failure.retryAfterMs : (io.retryAfterMs ?? (waits ? RETRY_AFTER_MS : null)),
      detail: io.detail,
    },
  });
  settle(state, request, {
    nowUs: io.nowUs,
    out: io.out,
    outcome: "failed",
    code: io.code,
    finishReason: null,
    usage: UNKNOWN_USAGE,
  });
}
