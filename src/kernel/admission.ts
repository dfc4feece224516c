import { assert, present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { Exclusion, ExclusionReason, Offer } from "../base/offer.ts";
import { joinBusy } from "../cost/busy-meter.ts";
import { choose } from "../dispatch/choose.ts";
import { relays } from "../dispatch/retry.ts";
import { forbids, upstreamModelOf } from "../policy/eligible.ts";
import type { Command, Edits } from "./command.ts";
import type { Watch } from "./config.ts";
import type { Arrived, Woke } from "./event.ts";
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
    queueDeadlineUs: null,
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
  place(state, request, { nowUs, out: io.out });
}

/** A queue deadline came. A wake of a request that was sent meanwhile is stale. */
export function onWoke(state: State, nowUs: number, io: { readonly event: Woke; readonly out: Command[] }): void {
  const request = state.open.get(io.event.requestId);
  if (request === undefined || request.phase !== "queued" || request.attempt !== io.event.attempt) return;
  if (request.queueDeadlineUs === null || nowUs < request.queueDeadlineUs) return;
  state.queue.delete(io.event.requestId);
  refuse(state, request, { nowUs, out: io.out, code: "queue_timeout", detail: null });
}

/** The fleet changed: each request in the queue is sent, goes on waiting, or is refused since nothing may serve it now. */
export function reviewQueue(state: State, nowUs: number, out: Command[]): void {
  for (const requestId of state.queue) {
    place(state, present(state.open.get(requestId), "a queued request is open"), { nowUs, out });
  }
}

/** Something became free: the oldest requests that fit are sent. */
export function drainQueue(state: State, nowUs: number, out: Command[]): void {
  if (state.queue.size === 0) return;
  for (const requestId of state.queue) {
    if (!anyFree(state)) return;
    place(state, present(state.open.get(requestId), "a queued request is open"), { nowUs, out });
  }
}

function anyFree(state: State): boolean {
  for (const backend of state.backends.values()) {
    if (!backend.configured || backend.starting || backend.cordoned) continue;
    if (backend.capacity === null || backend.inFlight < backend.capacity) return true;
  }
  return false;
}

/** Sends the request to the best backend, or queues it, or answers that none will do. */
export function place(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[] },
): void {
  const { offers, excluded } = offersFor(state, request, io.nowUs);
  const choice = choose(offers, excluded, (offer) => state.backends.get(offer.backendId)?.sends ?? 0);
  request.excluded = choice.excluded;
  if (choice.kind === "chosen") {
    request.reason = request.attempts.length === 0 ? choice.reason : "fallback";
    send(state, request, {
      ...io,
      backend: present(state.backends.get(choice.offer.backendId), "a chosen backend exists"),
    });
    return;
  }
  if (choice.kind === "wait" || waitsForCordoned(state, request)) {
    enqueue(state, request, io);
    return;
  }
  const failure = request.lastFailure;
  if (failure !== null) {
    // Every backend that may serve it was tried: the last failure is the answer.
    refuse(state, request, { ...io, code: failure.code, detail: null });
    return;
  }
  refuse(state, request, { ...io, code: codeOfNone(choice.excluded), detail: request.job.model });
}

/**
 * Whether a backend that would do is cordoned: the operator may give it back before the deadline. A request that failed
 * elsewhere just now has its answer, and does not begin to wait for a backend that may be gone for hours.
 */
function waitsForCordoned(state: State, request: OpenRequest): boolean {
  const isCordoned = request.excluded.some(({ reason }) => reason === "cordoned");
  return isCordoned && (request.lastFailure === null || state.queue.has(request.job.requestId));
}

function codeOfNone(excluded: readonly Exclusion[]): ErrorCode {
  const has = (reason: ExclusionReason): boolean => excluded.some((exclusion) => exclusion.reason === reason);
  if (has("context_too_small")) return "context_length_exceeded";
  if (has("endpoint_not_served")) return "endpoint_not_served";
  // A backend that was never reached may serve it for all that is known.
  if (has("models_unknown")) return "upstream_unreachable";
  return "model_not_found";
}

function offersFor(
  state: State,
  request: OpenRequest,
  nowUs: number,
): { readonly offers: readonly Offer[]; readonly excluded: readonly Exclusion[] } {
  const offers: Offer[] = [];
  const excluded: Exclusion[] = [];
  for (const backend of state.backends.values()) {
    if (!backend.configured) continue;
    const reason = request.tried.includes(backend.id)
      ? "already_tried"
      : (forbids(backend.capability, request.job) ?? (backend.cordoned ? "cordoned" : null));
    if (reason !== null) excluded.push({ backendId: backend.id, reason });
    else offers.push(offerOf(backend, nowUs));
  }
  return { offers, excluded };
}

function offerOf(backend: BackendState, nowUs: number): Offer {
  return {
    backendId: backend.id,
    inFlight: backend.inFlight,
    // A backend that is starting can take nothing yet; requests wait for it like for a full one.
    capacity: backend.starting ? 0 : backend.capacity,
    cooling: backend.down || backend.coolUntilUs > nowUs,
    coolUntilUs: Math.max(backend.coolUntilUs, backend.down ? nowUs + 1 : 0),
  };
}

function enqueue(state: State, request: OpenRequest, io: { readonly nowUs: number; readonly out: Command[] }): void {
  const { requestId } = request.job;
  request.phase = "queued";
  if (state.queue.has(requestId)) return;
  if (state.queue.size >= state.config.limits.maxQueued) {
    refuse(state, request, { ...io, code: "queue_full", detail: null });
    return;
  }
  state.queue.add(requestId);
  request.queueDeadlineUs = io.nowUs + state.config.limits.queueTimeoutMs * 1000;
  io.out.push({ kind: "wake", requestId, attempt: request.attempt, atUs: request.queueDeadlineUs });
}

function send(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[]; readonly backend: BackendState },
): void {
  const { nowUs, backend } = io;
  const { job } = request;
  state.queue.delete(job.requestId);
  const upstreamModel = present(upstreamModelOf(backend.capability, job.model), "a chosen backend serves the model");
  request.phase = "sent";
  request.attempt += 1;
  request.backendId = backend.id;
  request.upstreamModel = upstreamModel;
  request.sentUs = nowUs;
  request.firstSentUs ??= nowUs;
  request.outputTokens = 0;
  request.queueDeadlineUs = null;
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
    edits: editsOf(backend, job, upstreamModel),
    watch: job.stream ? backend.config.watch : wholeAnswerWatch(backend.config.watch),
  });
}

/** What is changed in the body; the address only where there is one, so that journals hold no empty ones. */
function editsOf({ config }: BackendState, job: Job, upstreamModel: string): Edits {
  const addresses = config.addresses ?? {};
  const address = Object.hasOwn(addresses, job.model) ? addresses[job.model] : undefined;
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

/** Answers with an error before anything went to the client, and settles. */
export function refuse(
  state: State,
  request: OpenRequest,
  io: { readonly nowUs: number; readonly out: Command[]; readonly code: ErrorCode; readonly detail: string | null },
): void {
  const failure = request.lastFailure;
  const fromUpstream = failure !== null && failure.code === io.code;
  const relay = fromUpstream && relays(failure);
  const waits = io.code === "queue_full" || io.code === "queue_timeout" || io.code === "storage_unavailable";
  io.out.push({
    kind: "answer",
    requestId: request.job.requestId,
    attempt: request.attempt,
    result: {
      ok: false,
      code: io.code,
      relay,
      retryAfterMs: fromUpstream ? failure.retryAfterMs : waits ? RETRY_AFTER_MS : null,
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
