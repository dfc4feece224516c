import type { IncomingMessage, ServerResponse } from "node:http";
import { heldOf, type RunSum, type RunTotals } from "../base/run-record.ts";
import type { RunView } from "../kernel/runs.ts";
import type { Desk, RunPage } from "../ports/desk.ts";
import { sendError, sendJson } from "./answers.ts";
import { isRunId } from "./run-call.ts";

const RUNS = "/api/runs";
const LIMIT = 20;
const LIMIT_MAX = 100;
const RETRY_MS = 1000;

/** What a path asks of runs: one by its id, or the list of all; null when it is none of these. */
export function runOf(path: string): { readonly runId: string | null } | null {
  if (path === RUNS) return { runId: null };
  if (!path.startsWith(`${RUNS}/`)) return null;
  try {
    return { runId: decodeURIComponent(path.slice(RUNS.length + 1)) };
  } catch {
    return { runId: "" };
  }
}

/** Answers what a tenant asks of its runs. */
export async function answerRun(
  desk: Desk,
  io: { readonly req: IncomingMessage; readonly res: ServerResponse },
  of: { readonly tenant: string; readonly runId: string | null },
): Promise<void> {
  const { req, res } = io;
  const query = new URLSearchParams((req.url ?? "").split("?")[1] ?? "");
  const limit = wholeOf(query.get("limit") ?? String(LIMIT), { low: 1, high: LIMIT_MAX });
  if (limit === null)
    return sendError(res, "invalid_request", { detail: `limit is 1 to ${LIMIT_MAX}`, param: "limit" });
  const after = wholeOf(query.get("after") ?? "-1", { low: -1, high: Number.MAX_SAFE_INTEGER });
  if (after === null) {
    const detail = "after is the `next` of an earlier answer";
    return sendError(res, "invalid_request", { detail, param: "after" });
  }
  try {
    if (of.runId === null) return sendJson(res, 200, { value: { runs: await desk.runs(of.tenant, limit) } });
    const found = isRunId(of.runId) ? await desk.run(of.tenant, of.runId, { after, limit }) : null;
    if (found === null) return sendError(res, "run_not_found");
    sendJson(res, 200, { value: shown(of.runId, found, Date.now()) });
  } catch {
    sendError(res, "storage_unavailable", { retryAfterMs: RETRY_MS });
  }
}

/** A run as it is answered; `nowWallMs` is Unix milliseconds. */
export function shown(runId: string, { run, receipts, next }: RunPage, nowWallMs: number): object {
  const { record, inFlight, limitedBy } = run;
  const { firstWallMs, lastWallMs } = record;
  return {
    runId,
    state: inFlight > 0 ? "running" : "idle",
    limitedBy,
    steps: record.steps,
    inFlight,
    firstWallMs,
    lastWallMs,
    wallMs: firstWallMs === null || lastWallMs === null ? null : lastWallMs - firstWallMs,
    totals: totalsShown(record.totals),
    limits: limitsShown(run, nowWallMs),
    receipts: receipts.map(({ leafIndex, receipt }) => ({ settled: true, leafIndex, ...receipt })),
    next,
  };
}

function totalsShown(totals: RunTotals): object {
  const entries = Object.entries(totals) as [string, RunSum][];
  return Object.fromEntries(entries.map(([name, { value, unknownSteps }]) => [name, { value, unknownSteps }]));
}

function limitsShown({ record, reserved }: RunView, nowWallMs: number): object {
  const { limits, totals, steps, firstWallMs } = record;
  const of = (limit: number | null, used: number, held: number): object => ({
    limit,
    used,
    reserved: held,
    left: limit === null ? null : Math.max(0, limit - used - held),
  });
  return {
    steps: of(limits.maxSteps, steps, 0),
    tokens: of(limits.maxTokens, heldOf(totals.tokens), reserved.tokens),
    costNanoUsd: of(limits.maxCostNanoUsd, heldOf(totals.costNanoUsd), reserved.costNanoUsd),
    energyMilliJoules: of(limits.maxEnergyMilliJoules, heldOf(totals.energyMilliJoules), reserved.energyMilliJoules),
    wallMs: of(limits.maxWallMs, firstWallMs === null ? 0 : Math.max(0, nowWallMs - firstWallMs), 0),
    sameCalls: { limit: limits.maxSameCalls },
  };
}

function wholeOf(text: string, within: { readonly low: number; readonly high: number }): number | null {
  const value = Number(text);
  return text !== "" && Number.isInteger(value) && value >= within.low && value <= within.high ? value : null;
}
