import type { RequestId } from "../../base/ids.ts";
import type { Command, Send, Wake } from "../../kernel/command.ts";
import type { FleetFacts } from "./limits.ts";
import type { QuotaChecker } from "./quota.ts";
import type { Checker, Moment, Runs } from "./runs.ts";
import { holds } from "./violation.ts";

interface Waiting {
  readonly deadlineUs: number;
  /** When the wake is due that was asked for last; null once it came. */
  wakeUs: number | null;
}

/** The queue as it must be: bounded, in order, and left by each request before its deadline. */
export class QueueChecker implements Checker {
  readonly #runs: Runs;
  readonly #facts: FleetFacts;
  readonly #quota: Pick<QuotaChecker, "fits">;
  /** Requests that neither run nor have ended, oldest first. */
  readonly #waiting = new Map<RequestId, Waiting>();
  readonly #wakes = new Map<RequestId, Wake>();

  constructor(runs: Runs, facts: FleetFacts, quota: Pick<QuotaChecker, "fits">) {
    this.#runs = runs;
    this.#facts = facts;
    this.#quota = quota;
  }

  /** Requests that wait now. */
  get size(): number {
    return this.#waiting.size;
  }

  onEvent({ event, nowUs }: Moment): void {
    this.#wakes.clear();
    const woken = event.kind === "woke" ? this.#waiting.get(event.requestId) : undefined;
    if (woken?.wakeUs !== undefined && woken.wakeUs !== null && nowUs >= woken.wakeUs) woken.wakeUs = null;
  }

  onCommand(at: Moment, command: Command): void {
    if (command.kind === "wake") this.#wakes.set(command.requestId, command);
    if (command.kind !== "send") return;
    const waited = this.#waiting.get(command.requestId);
    const inTime = waited === undefined || at.nowUs <= waited.deadlineUs;
    holds(inTime, "queue-deadline", () => `${command.requestId} is sent after its deadline in the queue`);
    this.#checkOrder(at, command);
  }

  /** Nobody is sent to a backend past an older one that waits and that the backend may serve, unless it is sent again. */
  #checkOrder(at: Moment, { requestId, backendId }: Send): void {
    if (this.#waiting.size === 0) return;
    const isFallback = at.ended?.requestId === requestId;
    const backend = this.#facts.backends.get(backendId);
    if (isFallback || backend === undefined) return;
    for (const older of this.#waiting.keys()) {
      if (older === requestId) return;
      const seen = this.#runs.open.get(older);
      if (seen === undefined || seen.running !== null || seen.appended || seen.tried.includes(backendId)) continue;
      const fits = backend.contextTokens === null || seen.job.promptTextLength <= backend.contextTokens * 16;
      const isServed = fits && this.#facts.mustServe(backend, seen);
      const passed = isServed && this.#quota.fits(backend, seen.job, at.nowUs);
      holds(!passed, "queue-order", () => `${requestId} is sent to ${backendId} past ${older}, which waits for it`);
    }
  }

  onStepEnd(at: Moment, touched: ReadonlySet<RequestId>): void {
    const { event } = at;
    const before = this.#waiting.size;
    for (const requestId of touched) this.#place(at, requestId);
    if (event.kind === "woke") {
      const waiting = this.#waiting.get(event.requestId);
      const leftInTime = waiting === undefined || at.nowUs < waiting.deadlineUs;
      holds(leftInTime, "queue-deadline", () => `${event.requestId} waits on after its deadline`);
    }
    const most = Math.max(this.#facts.config?.limits.maxQueued ?? 0, before);
    holds(this.#waiting.size <= most, "queue-bound", () => `${this.#waiting.size} wait, at most ${most} may`);
  }

  #place({ nowUs, ended }: Moment, requestId: RequestId): void {
    const seen = this.#runs.open.get(requestId);
    const waits = seen !== undefined && seen.running === null && !seen.appended;
    if (!waits) {
      this.#waiting.delete(requestId);
      return;
    }
    const again = ended?.requestId === requestId;
    const waiting = this.#waiting.get(requestId);
    if (waiting !== undefined && !again) return this.#checkWake(requestId, waiting);
    const deadlineUs = nowUs + (this.#facts.config?.limits.queueTimeoutMs ?? 0) * 1000;
    const wake = this.#wakes.get(requestId);
    const isSet = wake !== undefined && wake.atUs <= deadlineUs && wake.attempt === seen.sends;
    holds(isSet, "queue-deadline", () => `${requestId} waits without a wake at its deadline`);
    this.#waiting.delete(requestId);
    this.#waiting.set(requestId, { deadlineUs, wakeUs: wake.atUs });
  }

  /** Whoever waits on has a wake outstanding, be it the one of before or another that takes its place. */
  #checkWake(requestId: RequestId, waiting: Waiting): void {
    waiting.wakeUs = this.#wakes.get(requestId)?.atUs ?? waiting.wakeUs;
    const isSet = waiting.wakeUs !== null && waiting.wakeUs <= waiting.deadlineUs;
    holds(isSet, "queue-deadline", () => `${requestId} waits on without a wake until its deadline`);
  }

  onCrash(): void {
    this.#waiting.clear();
  }
}
