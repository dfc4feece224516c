import type { Answer, OutputBy } from "./answer.ts";
import { Buckets } from "./buckets.ts";
import { Samples } from "./samples.ts";

/** The latency objective of a run, in milliseconds; what is null was not asked for. */
export interface Slo {
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number | null;
}

/** A request that was sent and is over. All times are on one clock; `dueMs` is when the schedule wanted it sent. */
export interface Ended {
  readonly dueMs: number;
  readonly endMs: number;
  readonly answer: Answer;
}

/** Failures of one kind: how many, and what one of them said. */
export interface FailureCount {
  readonly code: string;
  count: number;
  readonly message: string;
}

/** A sum over the requests that told, beside how many did and did not. */
export interface TokenSum {
  tokens: number;
  readonly requests: Record<OutputBy, number>;
}

const MOST_CODES = 40;
const MOST_CODE = 60;
const MOST_MESSAGE = 200;

/** What a run has seen so far. It grows by 32 bytes a request: latencies are kept, answers are not. */
export class Tally {
  readonly slo: Slo;
  readonly hasSlo: boolean;
  readonly ttft = new Samples();
  readonly tpot = new Samples();
  readonly e2e = new Samples();
  readonly delay = new Samples();
  readonly itl = new Buckets();
  readonly failures = new Map<string, FailureCount>();
  completed = 0;
  failed = 0;
  notSent = 0;
  /** Of the last completed stream, for a line about the run; null before. */
  recentTtftMs: number | null = null;
  /** Under way when the run was ended early. */
  unfinished = 0;
  good = 0;
  readonly input = emptySum();
  readonly output = emptySum();
  /** Of the requests that met the objective. */
  readonly useful = emptySum();

  constructor(slo: Slo) {
    this.slo = slo;
    this.hasSlo = slo.ttftMs !== null || slo.tpotMs !== null || slo.e2eMs !== null;
  }

  /** Takes an ended request in; true when it met the whole objective. */
  ended(request: Ended): boolean {
    const { answer, dueMs, endMs } = request;
    if (answer.failure !== null) {
      this.failed += 1;
      this.#count(answer.failure.code, answer.failure.message);
      return false;
    }
    this.completed += 1;
    const ttft = answer.firstMs === null ? null : answer.firstMs - dueMs;
    const tpot = tpotOf(request);
    const e2e = endMs - dueMs;
    if (ttft !== null) this.ttft.add(ttft);
    this.recentTtftMs = ttft;
    if (tpot !== null) this.tpot.add(tpot);
    this.e2e.add(e2e);
    addTokens(this.input, answer.inputTokens, "usage");
    addTokens(this.output, answer.outputTokens, answer.outputBy);
    const { slo } = this;
    const good =
      this.hasSlo &&
      // A first content that was not seen did not come in time; one token has no time per further token to exceed.
      (slo.ttftMs === null || (ttft !== null && ttft <= slo.ttftMs)) &&
      (slo.tpotMs === null || tpot === null || tpot <= slo.tpotMs) &&
      (slo.e2eMs === null || e2e <= slo.e2eMs);
    if (good) {
      this.good += 1;
      addTokens(this.useful, answer.outputTokens, answer.outputBy);
    }
    return good;
  }

  /** A request that was due while as many were in flight as may be. */
  refused(inFlight: number): void {
    this.failed += 1;
    this.notSent += 1;
    this.#count("not_sent", `${inFlight} requests were in flight already (--max-in-flight)`);
  }

  #count(rawCode: string, message: string): void {
    const code = plain(rawCode, MOST_CODE);
    const known = this.failures.get(code);
    const key = known !== undefined || this.failures.size < MOST_CODES ? code : "other";
    const entry = known ?? this.failures.get(key);
    if (entry !== undefined) entry.count += 1;
    else this.failures.set(key, { code: key, count: 1, message: plain(message, MOST_MESSAGE) });
  }
}

/** From the first content to the end, per output token after the first; null where there is no such token. */
function tpotOf({ answer, endMs }: Ended): number | null {
  const { firstMs, outputTokens } = answer;
  return firstMs === null || outputTokens === null || outputTokens < 2 ? null : (endMs - firstMs) / (outputTokens - 1);
}

function emptySum(): TokenSum {
  return { tokens: 0, requests: { usage: 0, chunks: 0, unknown: 0 } };
}

function addTokens(sum: TokenSum, tokens: number | null, by: OutputBy): void {
  sum.tokens += tokens ?? 0;
  sum.requests[tokens === null ? "unknown" : by] += 1;
}

/** One line without control characters: it came from a stranger and goes to a terminal. */
function plain(text: string, most: number): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
