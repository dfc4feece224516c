import { count, figure } from "./numbers.ts";
import type { Load } from "./load.ts";
import type { Tally } from "./tally.ts";

const LIVE_MS = 200;
const QUIET_MS = 5000;
const CLEAR_LINE = "\r\u001b[2K";

/** What a stream for people can do; `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Says how a run goes: a line that is written over on a terminal, a new line now and then elsewhere. */
export class Progress {
  readonly #screen: Screen;
  readonly #live: boolean;
  #timer: NodeJS.Timeout | null = null;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#live = screen.isTTY === true;
  }

  /** Shows what `line` gives until `stop`. */
  start(line: () => string): void {
    this.stop();
    this.#timer = setInterval(() => this.#show(line()), this.#live ? LIVE_MS : QUIET_MS);
  }

  /** Says one thing that stays. */
  say(text: string): void {
    this.#screen.write(`${this.#live ? CLEAR_LINE : ""}${text}\n`);
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    if (this.#live) this.#screen.write(CLEAR_LINE);
  }

  #show(line: string): void {
    if (this.#live) this.#screen.write(`${CLEAR_LINE}${line.slice(0, (this.#screen.columns ?? 80) - 1)}`);
    else this.#screen.write(`${line}\n`);
  }
}

/** One line about a load under way. */
export function loadLine(load: Load, tally: Tally): string {
  const seconds = load.elapsedMs / 1000;
  const ttft = tally.recentTtftMs;
  const parts = [
    `${seconds.toFixed(1)} s`,
    `${count(load.sent)} sent`,
    `${count(load.inFlight)} in flight`,
    `${count(tally.completed)} completed`,
    `${count(tally.failed)} failed`,
    `${figure(tally.completed / Math.max(seconds, 0.001))}/s`,
  ];
  if (ttft !== null) parts.push(`TTFT ${figure(ttft)} ms`);
  if (tally.hasSlo && tally.completed > 0)
    parts.push(`${Math.floor((100 * tally.good) / (tally.completed + tally.failed))} % good`);
  return parts.join("  ");
}
