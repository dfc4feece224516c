import { percentile, type Samples, type Summary } from "./samples.ts";
import { ratiosOf, type Ratios } from "./ratios.ts";
import type { ReceiptGroup, ReceiptTotals } from "./receipt-totals.ts";
import type { ReceiptsRead } from "./lookups.ts";
import type { BenchOptions } from "./options.ts";
import type { FailureCount, Slo, Tally, TokenSum } from "./tally.ts";

/** One latency: its percentiles, and all whole ones for plotting (`quantiles[p]` is percentile p; the first is the minimum). */
export interface Latency extends Summary {
  readonly quantiles: readonly number[];
}

/** A group of receipts with its ratios. */
export type ReceiptFigures = ReceiptGroup & { readonly ratios: Ratios };

/** Everything that a run found. Milliseconds, seconds and tokens as the names say; null is unknown, never zero. */
export interface BenchReport {
  readonly schemaVersion: 1;
  readonly startedWallMs: number;
  readonly target: {
    readonly url: string;
    readonly model: string;
    readonly endpoint: string;
    readonly stream: boolean;
    readonly class: string | null;
  };
  readonly load: {
    readonly arrivals: string;
    readonly ratePerSecond: number;
    readonly drawnPerSecond: number;
    readonly cv: number | null;
    readonly burst: number | null;
    readonly requests: number | null;
    readonly durationSeconds: number | null;
    readonly promptTokens: { readonly low: number; readonly high: number };
    readonly outputTokens: { readonly low: number; readonly high: number };
    readonly sharedPrefixTokens: number;
    readonly maxInFlight: number;
    readonly timeoutSeconds: number;
    readonly seed: string;
  };
  readonly interrupted: boolean;
  /** What rates are over: from the start to the last answer, or to the end of the schedule when that is later. */
  readonly windowSeconds: number;
  readonly requests: {
    readonly scheduled: number;
    readonly completed: number;
    readonly failed: number;
    readonly notSent: number;
    readonly unfinished: number;
    readonly failures: readonly FailureCount[];
  };
  readonly completedPerSecond: number;
  /** Null without an objective. */
  readonly goodput: {
    readonly slo: Slo;
    readonly requests: number;
    readonly requestsPerSecond: number;
    /** Of those scheduled and not cut off by the end of the run. */
    readonly share: number | null;
    readonly usefulTokens: Tokens;
  } | null;
  readonly inputTokens: Tokens;
  readonly outputTokens: Tokens;
  readonly latencyMs: {
    readonly ttft: Latency | null;
    readonly tpot: Latency | null;
    /** Between chunks with content; percentiles within 1.6 %. */
    readonly itl: Summary | null;
    readonly e2e: Latency | null;
    /** How late the generator itself was to send; part of TTFT and E2E. */
    readonly sendDelay: Latency | null;
  };
  readonly connectionsOpened: number;
  /** Null when no answer named a receipt. */
  readonly receipts: {
    readonly offered: number;
    readonly read: number;
    readonly missing: number;
    readonly reason: string | null;
    readonly all: ReceiptFigures;
    readonly groups: readonly ReceiptFigures[];
  } | null;
}

/** A count of tokens, null when no request told; `requests` says by what each of them was counted. */
export interface Tokens {
  readonly tokens: number | null;
  readonly tokensPerSecond: number | null;
  readonly requests: TokenSum["requests"];
}

/** What a report is made from, once a run is over. */
export interface Findings {
  readonly options: BenchOptions;
  readonly model: string;
  readonly startedWallMs: number;
  readonly interrupted: boolean;
  readonly scheduled: number;
  readonly spanMs: number;
  readonly elapsedMs: number;
  readonly connectionsOpened: number;
  readonly tally: Tally;
  readonly receipts: (ReceiptsRead & { readonly offered: number; readonly totals: ReceiptTotals }) | null;
}

/** The report of a run. */
export function reportOf(findings: Findings): BenchReport {
  const { options, tally, interrupted, elapsedMs, spanMs } = findings;
  const windowSeconds = Math.max(elapsedMs, interrupted ? 0 : spanMs) / 1000;
  const drawnSpan = interrupted ? elapsedMs : spanMs;
  return {
    schemaVersion: 1,
    startedWallMs: findings.startedWallMs,
    target: targetOf(findings),
    load: { ...loadOf(options), drawnPerSecond: perSecond(findings.scheduled, drawnSpan / 1000) },
    interrupted,
    windowSeconds,
    requests: {
      scheduled: findings.scheduled,
      completed: tally.completed,
      failed: tally.failed,
      notSent: tally.notSent,
      unfinished: tally.unfinished,
      failures: Array.from(tally.failures.values(), (each) => ({ ...each })).toSorted((a, b) => b.count - a.count),
    },
    completedPerSecond: perSecond(tally.completed, windowSeconds),
    goodput: tally.hasSlo ? goodputOf(tally, windowSeconds) : null,
    inputTokens: tokensOf(tally.input, windowSeconds),
    outputTokens: tokensOf(tally.output, windowSeconds),
    latencyMs: {
      ttft: latencyOf(tally.ttft),
      tpot: latencyOf(tally.tpot),
      itl: tally.itl.summary(),
      e2e: latencyOf(tally.e2e),
      sendDelay: latencyOf(tally.delay),
    },
    connectionsOpened: findings.connectionsOpened,
    receipts: receiptsOf(findings.receipts),
  };
}

function targetOf({ options, model }: Findings): BenchReport["target"] {
  const { endpoint, stream } = options.requests;
  return { url: `${options.origin}${options.basePath}`, model, endpoint, stream, class: options.class };
}

function loadOf({
  arrivals,
  requests,
  maxInFlight,
  timeoutMs,
}: BenchOptions): Omit<BenchReport["load"], "drawnPerSecond"> {
  return {
    arrivals: arrivals.kind,
    ratePerSecond: arrivals.ratePerSecond,
    cv: arrivals.kind === "gamma" ? arrivals.cv : null,
    burst: arrivals.kind === "burst" ? arrivals.burst : null,
    requests: arrivals.requests,
    durationSeconds: arrivals.durationMs === null ? null : arrivals.durationMs / 1000,
    promptTokens: requests.promptTokens,
    outputTokens: requests.outputTokens,
    sharedPrefixTokens: requests.sharedPrefixTokens,
    maxInFlight,
    timeoutSeconds: timeoutMs / 1000,
    seed: arrivals.seed,
  };
}

function goodputOf(tally: Tally, windowSeconds: number): BenchReport["goodput"] {
  const judged = tally.completed + tally.failed;
  return {
    slo: tally.slo,
    requests: tally.good,
    requestsPerSecond: perSecond(tally.good, windowSeconds),
    share: judged === 0 ? null : tally.good / judged,
    usefulTokens: tokensOf(tally.useful, windowSeconds),
  };
}

function tokensOf(sum: TokenSum, windowSeconds: number): Tokens {
  const told = sum.requests.usage + sum.requests.chunks > 0;
  // Nothing met the objective, so there are no such tokens: that is known. Requests that did not tell are not.
  const none = !told && sum.requests.unknown === 0;
  const tokens = told || none ? sum.tokens : null;
  return {
    tokens,
    tokensPerSecond: tokens === null ? null : perSecond(tokens, windowSeconds),
    requests: { ...sum.requests },
  };
}

function latencyOf(samples: Samples): Latency | null {
  const summary = samples.summary();
  if (summary === null) return null;
  const sorted = samples.sorted();
  return { ...summary, quantiles: Array.from({ length: 101 }, (_, percent) => percentile(sorted, percent)) };
}

function receiptsOf(found: Findings["receipts"]): BenchReport["receipts"] {
  if (found === null) return null;
  const { totals, ...counts } = found;
  const figures = (group: ReceiptGroup): ReceiptFigures => ({ ...group, ratios: ratiosOf(group) });
  return { ...counts, all: figures(totals.all()), groups: totals.groups().map(figures) };
}

function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0;
}
