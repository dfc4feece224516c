/**
 * The load of the benchmark: sends requests made beforehand and times the answers. Run as a child; takes one order at a time
 * from its parent and answers with what it saw.
 */
import { requestBytes } from "./request-bytes.ts";
import { Client } from "./client.ts";

/** One run of the load. */
export interface LoadOrder {
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: boolean;
  readonly seconds: number;
  readonly connections: number;
  /** Requests a second, sent whatever became of those before; null sends the next when an answer came. */
  readonly rate: number | null;
}

/** What one run saw. Latencies are milliseconds from a request's sending to its end or first event; null without any. */
export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  /** Requests that were due while every connection was in use. */
  readonly unsent: number;
  readonly events: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly ttftP50Ms: number | null;
  readonly ttftP99Ms: number | null;
}

const TICK_MS = 1;
const GIVE_UP_MS = 10_000;

class Run {
  readonly #order: LoadOrder;
  readonly #bytes: Buffer;
  readonly #idle: Client[] = [];
  readonly #all: Client[] = [];
  readonly #latencies: number[] = [];
  readonly #firsts: number[] = [];
  #open = 0;
  #due = 0;
  #failed = 0;
  #unsent = 0;
  #startMs = 0;
  #sending = true;
  #onQuiet: (() => void) | null = null;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#bytes = requestBytes(order);
    const heard = { ended: (client: Client, ok: boolean): void => this.#ended(client, ok) };
    for (let index = 0; index < order.connections; index += 1) this.#all.push(new Client(order.port, heard));
    this.#idle.push(...this.#all);
  }

  async result(): Promise<LoadResult> {
    this.#startMs = performance.now();
    const timer = this.#order.rate === null ? null : setInterval(() => this.#tick(this.#order.rate ?? 0), TICK_MS);
    if (timer === null) while (this.#idle.length > 0) this.#sendOne();
    await new Promise((resolve) => setTimeout(resolve, this.#order.seconds * 1000));
    this.#sending = false;
    if (timer !== null) clearInterval(timer);
    await this.#quiet();
    const seconds = (performance.now() - this.#startMs) / 1000;
    for (const client of this.#all) client.close();
    return this.#summary(seconds);
  }

  #summary(seconds: number): LoadResult {
    const latencies = Float64Array.from(this.#latencies).toSorted();
    const firsts = Float64Array.from(this.#firsts).toSorted();
    return {
      requests: latencies.length,
      failed: this.#failed,
      unsent: this.#unsent,
      events: this.#all.reduce((sum, client) => sum + client.events, 0),
      seconds,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      ttftP50Ms: quantile(firsts, 0.5),
      ttftP99Ms: quantile(firsts, 0.99),
    };
  }

  #tick(rate: number): void {
    const elapsed = (performance.now() - this.#startMs) / 1000;
    for (; this.#due < elapsed * rate; this.#due += 1) {
      if (this.#idle.length === 0) this.#unsent += 1;
      else this.#sendOne();
    }
  }

  #sendOne(): void {
    const client = this.#idle.pop() as Client;
    this.#open += 1;
    client.send(this.#bytes);
  }

  #ended(client: Client, ok: boolean): void {
    this.#open -= 1;
    if (ok) {
      this.#latencies.push(performance.now() - client.sentMs);
      if (client.firstMs > 0) this.#firsts.push(client.firstMs - client.sentMs);
    } else this.#failed += 1;
    this.#idle.push(client);
    if (this.#sending && this.#order.rate === null && ok) this.#sendOne();
    else if (this.#open === 0) this.#onQuiet?.();
  }

  #quiet(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#failed += this.#open;
        resolve();
      }, GIVE_UP_MS);
      this.#onQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function quantile(sorted: Float64Array, share: number): number | null {
  return sorted[Math.floor(sorted.length * share)] ?? null;
}

process.on("message", (order: LoadOrder) => {
  void new Run(order).result().then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));
