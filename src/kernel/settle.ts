import { assert, present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { Usage } from "../base/job.ts";
import type { Outcome, Receipt } from "../base/receipt.ts";
import { postingOf } from "../ledger/codec.ts";
import type { Command } from "./command.ts";
import { costOf } from "./cost-figure.ts";
import { declared, exact, tokenFigure } from "./figures.ts";
import type { Appended, Stored } from "./event.ts";
import { leaveRun, onDurable } from "./runs.ts";
import { mayForget, type OpenRequest, type State } from "./state.ts";

/** How a request ended, for its receipt. */
export interface End {
  readonly nowUs: number;
  readonly out: Command[];
  readonly outcome: Outcome;
  readonly code: ErrorCode | null;
  readonly finishReason: string | null;
  readonly usage: Usage;
}

/** Closes the request and sends its receipt to the store. Each request passes here exactly once. */
export function settle(state: State, request: OpenRequest, end: End): void {
  const { requestId } = request.job;
  const wasOpen = state.open.delete(requestId);
  assert(wasOpen, `request ${requestId} is settled twice`);
  state.queue.delete(requestId);
  const receipt = receiptOf(state, request, end);
  leaveRun(state, end.nowUs, { request, receipt });
  forgetBackend(state, request);
  state.unsettled.set(requestId, receipt);
  end.out.push({ kind: "append", requestId, receipt });
}

/** A backend that was taken out of the configuration goes with the last request that needs it. */
function forgetBackend(state: State, { backendId }: OpenRequest): void {
  const backend = backendId === null ? undefined : state.backends.get(backendId);
  if (backend !== undefined && mayForget(state, backend)) state.backends.delete(backend.id);
}

/** Receipts became durable: they are projected into the ledger. */
export function onAppended(state: State, event: Appended, out: Command[]): void {
  event.requestIds.forEach((requestId, offset) => {
    const receipt = present(state.unsettled.get(requestId), `receipt ${requestId} was not waiting`);
    state.unsettled.delete(requestId);
    state.unposted.add(requestId);
    onDurable(state, receipt);
    out.push({ kind: "post", requestId, posting: postingOf(receipt, event.firstLeafIndex + offset) });
  });
}

/** Postings are in the ledger: the kernel may forget them. */
export function onStored(state: State, event: Stored): void {
  for (const requestId of event.requestIds) {
    const waited = state.unposted.delete(requestId);
    assert(waited, `posting ${requestId} was not waiting`);
  }
}

function receiptOf(state: State, request: OpenRequest, end: End): Receipt {
  const { job } = request;
  const backend = request.backendId === null ? null : (state.backends.get(request.backendId) ?? null);
  const siteId = backend?.config.site ?? null;
  const isFacility = hasPue(state, siteId);
  const { figure: costNanoUsd, lines } = costOf(request, backend, end.usage);
  return {
    schemaVersion: 1,
    receiptId: job.requestId,
    revision: 0,
    arrivedWallMs: request.arrivedWallMs,
    principal: job.principal,
    class: job.class,
    endpoint: job.endpoint,
    stream: job.stream,
    model: job.model,
    resolvedModel: request.resolvedModel,
    upstreamModel: request.upstreamModel,
    layer: siteId === null ? null : (state.sites.get(siteId)?.layer ?? null),
    site: siteId,
    backendId: request.backendId,
    outcome: end.outcome,
    code: end.code,
    finishReason: end.finishReason,
    tokens: tokensOf(end.usage),
    time: timesOf(request, end),
    costNanoUsd,
    costLines: lines,
    energyMilliJoules: declared(request.energyMilliJoules, { isFacility, isWhole: request.isEnergyWhole }),
    carbonMicrograms: declared(request.carbonMicrograms, { isFacility, isWhole: request.isCarbonWhole }),
    choice: { reason: request.reason, excluded: request.excluded },
    attempts: request.attempts,
    runId: job.run?.runId ?? null,
    step: request.run?.step ?? null,
    runLimits: request.run?.limits ?? null,
  };
}

/** With a declared PUE the figure covers the facility, else the node whose watts were declared. */
function hasPue(state: State, siteId: string | null): boolean {
  return siteId !== null && (state.sites.get(siteId)?.pueThousandths ?? null) !== null;
}

function tokensOf(usage: Usage): Receipt["tokens"] {
  return {
    input: tokenFigure(usage.inputTokens, usage.method),
    cachedInput: tokenFigure(usage.cachedInputTokens, usage.method),
    cacheWrite: tokenFigure(usage.cacheWriteTokens, usage.method),
    output: tokenFigure(usage.outputTokens, usage.method),
    reasoning: tokenFigure(usage.reasoningTokens, usage.method),
  };
}

function timesOf(request: OpenRequest, end: End): Receipt["time"] {
  const { nowUs } = end;
  const queueUs = (request.firstSentUs ?? nowUs) - request.arrivedUs;
  const ttftUs = request.firstUs === null ? null : request.firstUs - request.arrivedUs;
  const outputTokens = end.usage.outputTokens;
  const generating = request.firstUs !== null && outputTokens !== null && outputTokens > 1;
  // The first token ends the TTFT; the others share the time from it to the end.
  const tpotUs = generating ? Math.round((nowUs - (request.firstUs ?? nowUs)) / (outputTokens - 1)) : null;
  return {
    queueUs: exact(queueUs, "measured"),
    ttftUs: exact(ttftUs, "measured"),
    tpotUs: exact(tpotUs, "measured"),
    e2eUs: exact(nowUs - request.arrivedUs, "measured"),
  };
}
