import { assert } from "../base/assert.ts";
import { Chance } from "../base/chance.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import { type Job, UNKNOWN_USAGE, type Usage } from "../base/job.ts";
import type { Send } from "../kernel/command.ts";
import type { Faults, SendFault } from "./faults.ts";
import type { EngineTruth } from "./fleet.ts";
import type { Host } from "./host.ts";
import { drawUsage } from "./usage-model.ts";

/** How one attempt failed, as a shell reports it. */
interface Failure {
  readonly code: ErrorCode;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
}

/** One running attempt. Owned by the engine model. */
interface Attempt {
  readonly command: Send;
  readonly job: Job;
  readonly sentUs: number;
  readonly fault: SendFault | null;
  /** Output tokens after which it ends, or breaks or stalls when its fault is one of those. */
  readonly untilTokens: number;
  madeTokens: number;
  over: boolean;
}

/** What an engine model is made of. */
export interface EngineParts {
  readonly backendId: BackendId;
  readonly truth: EngineTruth;
  readonly host: Host;
  readonly faults: Faults;
  readonly seed: string;
}

const NEVER = Number.MAX_SAFE_INTEGER;
const STALE_DELAY_MAX_US = 2_000_000;

/**
 * One backend's engine and the part of the shell that speaks to it: it makes tokens at a pace that falls with its batch,
 * enforces exactly the watch that it is given, and meets faults. Like a shell it decides nothing. Owned by the world.
 */
export class EngineModel {
  readonly #parts: EngineParts;
  readonly #chance: Chance;
  readonly #running = new Map<RequestId, Attempt>();
  #state: "up" | "starting" | "down" = "up";
  #slowThousandths = 1000;
  /** Stale events that were delivered after their attempt's end. */
  staleEvents = 0;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#chance = new Chance(parts.seed, `engine/${parts.backendId}`);
  }

  get running(): number {
    return this.#running.size;
  }

  send(command: Send, job: Job): void {
    const { host, faults } = this.#parts;
    assert(!this.#running.has(command.requestId), `the engine already runs ${command.requestId}`);
    const target = this.#chance.integer(1, job.maxOutputTokens ?? 160);
    const fault = this.#state === "down" ? "refused" : this.#state === "starting" ? "status500" : faults.atSend();
    const cutShort = fault === "brokenMid" || fault === "stalls";
    const attempt: Attempt = {
      command,
      job,
      sentUs: host.nowUs,
      fault,
      untilTokens: cutShort ? this.#chance.integer(1, target) : target,
      madeTokens: 0,
      over: false,
    };
    this.#running.set(command.requestId, attempt);
    this.#begin(attempt);
  }

  /** What the attempt that runs for this request has made. */
  made(requestId: RequestId): Usage {
    const attempt = this.#running.get(requestId);
    return attempt === undefined ? UNKNOWN_USAGE : this.#usageOf(attempt);
  }

  /** Ends an attempt, if it runs: at once, or when it has not ended within this time. A late event of it may still come. */
  abort(requestId: RequestId, withinMs: number): void {
    const attempt = this.#running.get(requestId);
    if (attempt === undefined) return;
    if (withinMs === 0) return this.#end(attempt);
    const failure: Failure = { code: "upstream_total_timeout", status: null, retryAfterMs: null };
    this.#at(attempt, this.#parts.host.nowUs + withinMs * 1000, () => this.#fail(attempt, failure));
  }

  /** Every attempt breaks; until `start` connections are refused. */
  crash(): void {
    this.#state = "down";
    // Copied first: what waits may be sent here while these fail, and is refused by itself.
    const broken = [...this.#running.values()];
    for (const attempt of broken) {
      this.#fail(attempt, { code: "upstream_broken", status: null, retryAfterMs: null });
    }
  }

  /** It loads its model: it answers, but with errors. */
  start(): void {
    this.#state = "starting";
  }

  /** It serves again, at this pace: 1000 is its own, 3000 three times slower. */
  serve(slowThousandths = 1000): void {
    this.#state = "up";
    this.#slowThousandths = slowThousandths;
  }

  /** The shell's process died: its attempts die with it and nobody hears of them. */
  forget(): void {
    for (const attempt of this.#running.values()) attempt.over = true;
    this.#running.clear();
  }

  #begin(attempt: Attempt): void {
    const { truth } = this.#parts;
    const { sentUs, fault } = attempt;
    const hangsAt = fault === "hangs" ? this.#chance.pick(["connect", "headers", "first"]) : null;
    const tripUs = this.#slowed(truth.roundTripUs);
    const connectedUs = hangsAt === "connect" ? NEVER : sentUs + tripUs;
    const headersUs = hangsAt === "headers" ? NEVER : Math.min(NEVER, connectedUs + tripUs);
    const prefillUs = Math.floor(
      (this.#slowed(truth.ttftUs) * Math.max(truth.slots, this.#running.size)) / truth.slots,
    );
    const firstUs = hangsAt === "first" ? NEVER : Math.min(NEVER, headersUs + prefillUs);
    const { watch } = attempt.command;
    const stages = [
      { readyUs: connectedUs, limitMs: watch.connectMs, code: "upstream_connect_timeout" },
      { readyUs: headersUs, limitMs: watch.headersMs, code: "upstream_headers_timeout" },
      { readyUs: firstUs, limitMs: watch.firstMs, code: "upstream_first_timeout" },
    ] as const;
    for (const [index, stage] of stages.entries()) {
      const limitUs = sentUs + stage.limitMs * 1000;
      if (stage.readyUs > Math.min(limitUs, totalUs(attempt))) return this.#expireAt(attempt, limitUs, stage.code);
      const failure = this.#failureAfter(attempt, index);
      if (failure !== null) return this.#at(attempt, stage.readyUs, () => this.#fail(attempt, failure));
    }
    this.#at(attempt, firstUs, () => this.#first(attempt));
  }

  /** What the attempt's fault does once its connection (0), its headers (1) or its first content (2) would have come. */
  #failureAfter(attempt: Attempt, stage: number): Failure | null {
    const { fault } = attempt;
    const chance = this.#chance;
    const none = { status: null, retryAfterMs: null };
    if (fault === "refused") return stage === 0 ? { code: "upstream_unreachable", ...none } : null;
    if (fault === "brokenBefore") return stage === 2 ? { code: "upstream_broken", ...none } : null;
    if (stage !== 1) return null;
    const failed = (status: number, retryAfterMs: number | null = null): Failure => {
      return { code: "upstream_error", status, retryAfterMs };
    };
    if (fault === "status429") return failed(429, chance.odds(1, 2) ? chance.integer(0, 5_000) : null);
    if (fault === "status500") return failed(chance.pick([500, 502, 503]));
    if (fault === "status400") return failed(chance.pick([400, 404, 422]));
    if (fault === "status401") return { code: "upstream_unauthorized", status: 401, retryAfterMs: null };
    return null;
  }

  #first(attempt: Attempt): void {
    if (!attempt.job.stream) return this.#whole(attempt);
    attempt.madeTokens = 1;
    this.#tell(attempt, "first");
    if (!attempt.over) this.#continue(attempt);
  }

  /** An answer that is not streamed: nothing is heard of it until it is complete. */
  #whole(attempt: Attempt): void {
    if (attempt.fault === "stalls") return this.#expireAt(attempt, totalUs(attempt), "upstream_total_timeout");
    const endUs = this.#parts.host.nowUs + attempt.untilTokens * this.#tokenUs();
    if (endUs > totalUs(attempt)) return this.#expireAt(attempt, totalUs(attempt), "upstream_total_timeout");
    this.#at(attempt, endUs, () => {
      if (attempt.fault === "brokenMid") {
        return this.#fail(attempt, { code: "upstream_broken", status: 200, retryAfterMs: null });
      }
      attempt.madeTokens = attempt.untilTokens;
      if (this.#parts.truth.saysFirstOfWhole) this.#tell(attempt, "first");
      if (!attempt.over) this.#finish(attempt);
    });
  }

  /** The next stretch of a stream, up to the next `progress`; the batch's pace is taken anew at each stretch. */
  #continue(attempt: Attempt): void {
    const { nowUs } = this.#parts.host;
    const { watch } = attempt.command;
    const leftTokens = attempt.untilTokens - attempt.madeTokens;
    if (leftTokens === 0) return this.#ending(attempt);
    const tokens = Math.min(leftTokens, watch.progressEveryTokens);
    const tokenUs = this.#tokenUs();
    if (tokenUs > watch.idleMs * 1000) {
      return this.#expireAt(attempt, nowUs + watch.idleMs * 1000, "upstream_idle_timeout");
    }
    const atUs = nowUs + tokens * tokenUs;
    if (atUs > totalUs(attempt)) {
      attempt.madeTokens += Math.floor((totalUs(attempt) - nowUs) / tokenUs);
      return this.#expireAt(attempt, totalUs(attempt), "upstream_total_timeout");
    }
    this.#at(attempt, atUs, () => {
      attempt.madeTokens += tokens;
      if (tokens === watch.progressEveryTokens) this.#tell(attempt, "progress");
      if (!attempt.over) this.#continue(attempt);
    });
  }

  #ending(attempt: Attempt): void {
    const { fault } = attempt;
    const idleUs = this.#parts.host.nowUs + attempt.command.watch.idleMs * 1000;
    if (fault === "stalls") return this.#expireAt(attempt, idleUs, "upstream_idle_timeout");
    if (fault === "brokenMid") {
      return this.#fail(attempt, { code: "upstream_broken", status: 200, retryAfterMs: null });
    }
    this.#finish(attempt);
  }

  #finish(attempt: Attempt): void {
    const { requestId, attempt: number } = attempt.command;
    const usage = this.#usageOf(attempt);
    this.#end(attempt);
    const finishReason = attempt.madeTokens === attempt.job.maxOutputTokens ? "length" : "stop";
    this.#parts.host.feed({ kind: "finished", requestId, attempt: number, status: 200, finishReason, usage });
  }

  #fail(attempt: Attempt, failure: Failure): void {
    const { requestId, attempt: number } = attempt.command;
    const usage = attempt.madeTokens === 0 ? UNKNOWN_USAGE : this.#usageOf(attempt);
    this.#end(attempt);
    this.#parts.host.feed({ kind: "failed", requestId, attempt: number, ...failure, usage });
  }

  #end(attempt: Attempt): void {
    attempt.over = true;
    this.#running.delete(attempt.command.requestId);
    if (this.#parts.faults.happens("staleEvents")) this.#haunt(attempt);
  }

  /** An event of an attempt that is over comes late, as from a socket that was read before it was closed. */
  #haunt(attempt: Attempt): void {
    const { host, faults } = this.#parts;
    const { requestId, attempt: number } = attempt.command;
    const chance = faults.details("staleEvents");
    const name = { requestId, attempt: number };
    const usage = UNKNOWN_USAGE;
    const event = chance.pick([
      { kind: "first", ...name },
      { kind: "progress", ...name, outputTokens: 7 },
      { kind: "finished", ...name, status: 200, finishReason: "stop", usage },
      { kind: "failed", ...name, code: "upstream_broken", status: null, retryAfterMs: null, usage },
    ] as const);
    host.after(chance.integer(0, STALE_DELAY_MAX_US), () => {
      this.staleEvents += 1;
      host.feed(event);
    });
  }

  #tell(attempt: Attempt, kind: "first" | "progress"): void {
    const { requestId, attempt: number } = attempt.command;
    const { host } = this.#parts;
    if (kind === "first") host.feed({ kind, requestId, attempt: number });
    else host.feed({ kind, requestId, attempt: number, outputTokens: attempt.madeTokens });
  }

  /** Reports that a number of the watch expired, at its time or at the total's if that comes first. */
  #expireAt(attempt: Attempt, limitUs: number, code: ErrorCode): void {
    const totalFirst = totalUs(attempt) <= limitUs;
    const failure: Failure = {
      code: totalFirst ? "upstream_total_timeout" : code,
      status: null,
      retryAfterMs: null,
    };
    this.#at(attempt, Math.min(limitUs, totalUs(attempt)), () => this.#fail(attempt, failure));
  }

  #at(attempt: Attempt, atUs: number, action: () => void): void {
    const { host } = this.#parts;
    host.after(atUs - host.nowUs, () => {
      if (!attempt.over) action();
    });
  }

  #usageOf(attempt: Attempt): Usage {
    return drawUsage(this.#chance, attempt.job, attempt.madeTokens);
  }

  #slowed(us: number): number {
    return Math.floor((us * this.#slowThousandths) / 1000);
  }

  #tokenUs(): number {
    const { truth } = this.#parts;
    const batch = Math.max(1, this.#running.size);
    const grownUs = Math.floor((truth.tokenUs * (1000 + truth.growthThousandths * (batch - 1))) / 1000);
    return this.#slowed(batch <= truth.slots ? grownUs : Math.floor((grownUs * batch) / truth.slots));
  }
}

function totalUs(attempt: Attempt): number {
  return attempt.sentUs + attempt.command.watch.totalMs * 1000;
}
