import type { ErrorCode } from "../base/errors.ts";
import type { Watch } from "../ports/engine.ts";

type Stage = "connect" | "headers" | "first" | "idle" | "over";

const CODES = {
  connect: "upstream_connect_timeout",
  headers: "upstream_headers_timeout",
  first: "upstream_first_timeout",
  idle: "upstream_idle_timeout",
} as const satisfies Record<Exclude<Stage, "over">, ErrorCode>;

/**
 * Enforces one attempt's watch and says which of its numbers expired; it picks none. One timer an attempt: its deadline is
 * moved by writing a number, since re-arming a timer at every chunk would cost more than the chunk. Owned by one attempt.
 */
export class Watchdog {
  readonly #watch: Watch;
  readonly #onExpire: (code: ErrorCode) => void;
  readonly #startMs: number;
  #stage: Stage = "connect";
  #lastMs: number;
  #totalDeadlineAtMs: number;
  #paused = false;
  #timer: NodeJS.Timeout | null = null;
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(watch: Watch, onExpire: (code: ErrorCode) => void) {
    this.#watch = watch;
    this.#onExpire = onExpire;
    this.#startMs = performance.now();
    this.#lastMs = this.#startMs;
    this.#totalDeadlineAtMs = this.#startMs + watch.totalMs;
    this.#arm();
  }

  connected(): void {
    if (this.#stage === "connect") this.#enter("headers");
  }

  headers(): void {
    this.#enter("first");
  }

  /** The first real content; from now on silence is measured from the last bytes. */
  first(): void {
    this.#lastMs = performance.now();
    this.#enter("idle");
  }

  bytes(): void {
    this.#lastMs = performance.now();
  }

  /** The client does not read, so the upstream may not write: its silence is not its fault. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#lastMs = performance.now();
    if (this.#deadlineMs() < this.#armedForMs) this.#arm();
  }

  /** Brings the total's end nearer: at most this long from now. */
  limit(withinMs: number): void {
    this.#totalDeadlineAtMs = Math.min(this.#totalDeadlineAtMs, performance.now() + withinMs);
    if (this.#stage !== "over" && this.#deadlineMs() < this.#armedForMs) this.#arm();
  }

  stop(): void {
    this.#stage = "over";
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A stage's deadline may come before that of the one it follows, which the timer is armed for. */
  #enter(stage: Stage): void {
    this.#stage = stage;
    if (this.#deadlineMs() < this.#armedForMs) this.#arm();
  }

  #deadlineMs(): number {
    return Math.min(this.#totalDeadlineAtMs, this.#stageDeadlineMs());
  }

  #stageDeadlineMs(): number {
    switch (this.#stage) {
      case "connect":
        return this.#startMs + this.#watch.connectMs;
      case "headers":
        return this.#startMs + this.#watch.headersMs;
      case "first":
        return this.#startMs + this.#watch.firstMs;
      case "idle":
        return this.#paused ? Number.POSITIVE_INFINITY : this.#lastMs + this.#watch.idleMs;
      default:
        return Number.POSITIVE_INFINITY;
    }
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#armedForMs = this.#deadlineMs();
    this.#timer = setTimeout(() => this.#due(), Math.max(0, this.#armedForMs - performance.now()));
  }

  #due(): void {
    if (this.#stage === "over") return;
    const nowMs = performance.now();
    // Timers may fire up to a millisecond early.
    if (nowMs + 1 < this.#deadlineMs()) {
      this.#arm();
      return;
    }
    const code = nowMs + 1 >= this.#totalDeadlineAtMs ? "upstream_total_timeout" : CODES[this.#stage];
    this.stop();
    this.#onExpire(code);
  }
}
