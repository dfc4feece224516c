import { assert, present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { FigureMethod, Usage } from "../base/job.ts";
import type { CostLine, Figure, Outcome, Receipt } from "../base/receipt.ts";
import { reportedLine, tokenCostLines } from "../cost/money.ts";
import { entriesOf } from "../ledger/codec.ts";
import type { Command } from "./command.ts";
import type { Appended, Stored } from "./event.ts";
import { type BackendState, mayForget, type OpenRequest, type State } from "./state.ts";

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
    const posting = { leafIndex: event.firstLeafIndex + offset, requestId, entries: entriesOf(receipt) };
    out.push({ kind: "post", requestId, posting });
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
    energyMilliJoules: declared(request.energyMilliJoules, facility(state, siteId)),
    carbonMicrograms: declared(request.carbonMicrograms, facility(state, siteId)),
    choice: { reason: request.reason, excluded: request.excluded },
    attempts: request.attempts,
  };
}

/** With a declared PUE the figure covers the facility, else the node whose watts were declared. */
function facility(state: State, siteId: string | null): boolean {
  return siteId !== null && (state.sites.get(siteId)?.pueThousandths ?? null) !== null;
}

function exact(value: number | null, method: FigureMethod): Figure {
  if (value === null)
    return { value: null, method: "unknown", boundary: "request", low: null, high: null, final: true };
  return { value, method, boundary: "request", low: value, high: value, final: true };
}

// The declared watts are a ceiling of the real draw, and a node never draws nothing: the bounds say so and no more.
function declared(value: number | null, isFacility: boolean): Figure {
  const boundary = isFacility ? "facility" : "node";
  if (value === null) return { value: null, method: "unknown", boundary, low: null, high: null, final: true };
  return { value, method: "default", boundary, low: 0, high: value, final: true };
}

// A foreign tokenizer's count differs from the model's own by up to about this share either way.
const COUNT_ERROR = 0.25;

function tokenFigure(value: number | null, method: Usage["method"]): Figure {
  if (method !== "counted_estimate" || value === null) return exact(value, method);
  return {
    value,
    method,
    boundary: "request",
    low: Math.floor(value * (1 - COUNT_ERROR)),
    high: Math.ceil(value * (1 + COUNT_ERROR)),
    final: true,
  };
}

function tokensOf(usage: Usage): Receipt["tokens"] {
  return {
    input: tokenFigure(usage.inputTokens, usage.method),
    cachedInput: tokenFigure(usage.cachedInputTokens, usage.method),
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

function costOf(
  request: OpenRequest,
  backend: BackendState | null,
  usage: Usage,
): { readonly figure: Figure; readonly lines: readonly CostLine[] } {
  const unknown = { figure: exact(null, "unknown"), lines: [] };
  if (backend === null) {
    // Nothing was ever sent, so nothing was spent: that is a fact, not an estimate.
    return { figure: exact(0, "measured"), lines: [] };
  }
  if (usage.reportedCostNanoUsd !== null) {
    return priced([reportedLine(usage.reportedCostNanoUsd)], "provider_reported");
  }
  if (backend.config.price !== null) {
    const lines = tokenCostLines(usage, backend.config.price);
    return lines === null ? unknown : priced(lines, "price_list");
  }
  if (request.energyMilliJoules === null || request.electricityLines === null) return unknown;
  return priced(request.electricityLines, "electricity");
}

function priced(
  lines: readonly CostLine[],
  method: FigureMethod,
): { readonly figure: Figure; readonly lines: readonly CostLine[] } {
  const sum = lines.reduce((total, line) => total + line.amountNanoUsd, 0);
  return { figure: exact(sum, method), lines };
}
