import type { Client } from "undici";
import type { Answer } from "./answer.ts";
import type { Arrivals } from "./arrivals.ts";
import { Connections } from "./connections.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import type { BenchEndpoint, Prompts } from "./prompt.ts";
import type { ReceiptSample } from "./receipt-sample.ts";
import type { Tally } from "./tally.ts";

/** Where and how requests are sent. */
export interface Target {
  readonly origin: string;
  /** The path up to and including `/v1`. */
  readonly basePath: string;
  readonly endpoint: BenchEndpoint;
  readonly stream: boolean;
  /** Names and values in turn, the key's among them. */
  readonly headers: readonly string[];
}

/** What a load is made of. */
export interface LoadParts {
  readonly target: Target;
  readonly arrivals: Arrivals;
  readonly prompts: Prompts;
  readonly tally: Tally;
  readonly receipts: ReceiptSample;
  readonly maxInFlight: number;
  readonly timeoutMs: number;
}

const PATHS = { chat: "/chat/completions", completions: "/completions" } as const;
/** A generator that is late sends this many before it looks at answers again. */
const MOST_AT_ONCE = 32;
const WATCH_MS = 200;
/** Timers are good to a millisecond; what is nearer than this is waited for by turns of the event loop. */
const NEAR_MS = 1;

/** Sends an open loop of requests: each at its drawn time, whatever became of the ones before it. */
export class Load implements ExchangeOwner {
  readonly #parts: LoadParts;
  readonly #connections: Connections;
  readonly #path: string;
  /** In the order of sending, so that the oldest come first. */
  readonly #inFlight = new Set<Exchange>();
  readonly #over = Promise.withResolvers<void>();
  #startMs = 0;
  #next: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  #endedMs = 0;
  #isOver = false;
  sent = 0;
  /** Whether it was stopped before its end. */
  interrupted = false;

  constructor(parts: LoadParts) {
    this.#parts = parts;
    this.#connections = new Connections(parts.target.origin);
    this.#path = parts.target.basePath + PATHS[parts.target.endpoint];
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  get connectionsOpened(): number {
    return this.#connections.opened;
  }

  /** From the start to the last answer's end, or to now while it runs. */
  get elapsedMs(): number {
    return this.#isOver ? this.#endedMs : this.now();
  }

  /** Sends everything and resolves when every answer is in. */
  async run(): Promise<void> {
    this.#startMs = performance.now();
    this.#next = this.#parts.arrivals.next();
    this.#watch = setInterval(() => this.#expire(), WATCH_MS);
    this.#pump();
    await this.#over.promise;
    await this.#connections.close();
  }

  /** Sends nothing more and drops what is under way, which is then neither completed nor failed. */
  stop(): void {
    if (this.#isOver) return;
    this.interrupted = true;
    this.#next = null;
    this.#parts.tally.unfinished = this.#inFlight.size;
    for (const exchange of this.#inFlight) exchange.abort("interrupted", "the run was ended");
    this.#finishWhenIdle();
  }

  now(): number {
    return performance.now() - this.#startMs;
  }

  gap(ms: number): void {
    this.#parts.tally.itl.add(ms);
  }

  ended(exchange: Exchange, answer: Answer): void {
    this.#inFlight.delete(exchange);
    if (this.interrupted) return;
    const { tally, receipts } = this.#parts;
    const endMs = this.now();
    this.#endedMs = endMs;
    const useful = tally.ended({ dueMs: exchange.dueMs, endMs, answer });
    if (exchange.receiptId !== null) receipts.offer({ id: exchange.receiptId, useful });
    this.#finishWhenIdle();
  }

  released(client: Client): void {
    this.#connections.give(client);
  }

  /** Sends what is due and waits for what is next. */
  readonly #pump = (): void => {
    this.#timer = null;
    for (let left = MOST_AT_ONCE; left > 0 && this.#next !== null && this.#next <= this.now(); left -= 1) {
      this.#send(this.#next);
      this.#next = this.#parts.arrivals.next();
    }
    if (this.#next === null) {
      this.#finishWhenIdle();
      return;
    }
    const waitMs = this.#next - this.now();
    if (waitMs > NEAR_MS) this.#timer = setTimeout(this.#pump, waitMs - NEAR_MS);
    else setImmediate(this.#pump);
  };

  #send(dueMs: number): void {
    const { target, tally, prompts, maxInFlight } = this.#parts;
    // Drawn also when it is not sent, so that the requests after it are the same ones.
    const body = prompts.next();
    if (this.#inFlight.size >= maxInFlight) {
      tally.refused(maxInFlight);
      this.#endedMs = this.now();
      return;
    }
    const client = this.#connections.take();
    const sentMs = this.now();
    const exchange = new Exchange(this, client, { dueMs, sentMs, stream: target.stream });
    this.#inFlight.add(exchange);
    this.sent += 1;
    tally.delay.add(sentMs - dueMs);
    client.dispatch({ path: this.#path, method: "POST", headers: [...target.headers], body }, exchange);
  }

  #expire(): void {
    const { timeoutMs } = this.#parts;
    for (const exchange of this.#inFlight) {
      if (this.now() - exchange.sentMs < timeoutMs) return;
      exchange.abort("timeout", `no complete answer within ${timeoutMs / 1000} s`);
    }
  }

  #finishWhenIdle(): void {
    if (this.#isOver || this.#next !== null || this.#inFlight.size > 0) return;
    this.#endedMs = this.interrupted ? this.now() : this.#endedMs;
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#over.resolve();
  }
}
