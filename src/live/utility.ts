import { present, unreachable } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import { type Job, UNKNOWN_USAGE, type Usage } from "../base/job.ts";
import type { Receipt } from "../base/receipt.ts";
import { Table } from "../base/table.ts";
import type { Abort, Answer, Command, Send } from "../kernel/command.ts";
import type { KernelConfig } from "../kernel/config.ts";
import type { Cancelled, Event } from "../kernel/event.ts";
import { Kernel } from "../kernel/kernel.ts";
import type { Engine, EngineCall, EngineEnd, EngineFailure, Made, Relay } from "../ports/engine.ts";
import type { Admission, Exchange, ExchangeOwner } from "../ports/exchange.ts";
import type { RunPage } from "../ports/desk.ts";
import { RunReader } from "./run-reader.ts";
import type { PageOf, RecentRun, Store, StoredReceipt, StoreListener } from "../ports/store.ts";
import type { Clock } from "./clock.ts";
import type { Journal } from "./journal-file.ts";
import type { CountTokens } from "./token-counter.ts";

/** What the live shell performs with. */
export interface UtilityParts {
  readonly clock: Clock;
  readonly engines: ReadonlyMap<BackendId, Engine>;
  readonly journal: Journal | null;
  readonly countTokens: CountTokens;
  /** Hears of each receipt as it is made, before it is durable: metrics and the request log. */
  readonly onReceipt: (receipt: Receipt) => void;
  /** Says that something went wrong which no answer tells; never a body, never a key. */
  readonly log: (line: string) => void;
}

/** One request in flight. Owned by the utility until its answer has ended. */
interface Flight {
  readonly exchange: Exchange;
  attempt: number;
  call: EngineCall | null;
  relay: Relay | null;
  /** What the client is told besides of the current attempt's failure, should that be what it sees. */
  told: { readonly code: ErrorCode; readonly words: string } | null;
  /** False while its run's earlier receipts are read, before the kernel hears of it. */
  hasArrived: boolean;
  /** Why nobody waits for it any more since before the kernel heard of it, or null. */
  leftCode: Cancelled["code"] | null;
}

/**
 * The live shell: turns what sockets, timers and the store do into events, feeds them to the kernel one at a time, and
 * performs the commands. It decides nothing. Owns the kernel, the flights and the wakes; the store reports to it.
 */
export class Utility implements Admission, StoreListener {
  readonly #parts: UtilityParts;
  readonly #kernel = new Kernel();
  readonly #flights = new Table<Flight>();
  readonly #pending: Event[] = [];
  readonly #runs = new RunReader(this.#kernel);
  readonly #wakes = new Map<RequestId, NodeJS.Timeout>();
  #store: Store | null = null;
  #storeTrouble: string | null = null;
  #feeding = false;
  #stopping = false;
  #seed = "";
  #onIdle: (() => void) | null = null;

  constructor(parts: UtilityParts) {
    this.#parts = parts;
  }

  /** Begins with this configuration and store. Must come before anything else. */
  start(config: KernelConfig, options: { readonly store: Store; readonly seed: string }): void {
    this.#store = options.store;
    this.#seed = options.seed;
    this.configure(config);
  }

  /** Goes on with another configuration. The engines of its backends must be there already. */
  configure(config: KernelConfig): void {
    this.feed({ kind: "configured", wallMs: this.#parts.clock.wallMs(), config, seed: this.#seed });
  }

  /** Feeds one event, and whatever performing its commands brings about, in order. */
  feed(event: Event): void {
    this.#pending.push(event);
    if (this.#feeding) return;
    this.#feeding = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#step(next);
    } finally {
      this.#feeding = false;
    }
    if (this.#flights.size === 0) this.#onIdle?.();
  }

  /** Keeps new requests from a backend, or gives it back to them. */
  cordon(backendId: BackendId, cordoned: boolean): void {
    this.feed({ kind: "cordoned", backendId, cordoned });
  }

  arrive(exchange: Exchange): ExchangeOwner {
    const { requestId } = exchange.job;
    const flight: Flight = {
      exchange,
      attempt: 0,
      call: null,
      relay: null,
      told: null,
      hasArrived: false,
      leftCode: null,
    };
    this.#flights.set(requestId, flight);
    if (this.#knowsRun(exchange.job)) this.#feedArrival(flight);
    else void this.#recall(flight);
    return {
      drained: () => flight.call?.resume(),
      gone: (code) => this.#cancel(requestId, code),
    };
  }

  #knowsRun({ run, principal }: Job): boolean {
    return run === null || this.#kernel.run(principal.tenant, run.runId) !== null;
  }

  /** Tells the kernel what the store knows of a call's run, and then of the call. */
  async #recall(flight: Flight): Promise<void> {
    const { run, principal } = flight.exchange.job;
    const of = { tenant: principal.tenant, runId: present(run, "a call of a run").runId };
    try {
      const record = await this.#runs.recall(present(this.#store, "started"), of);
      this.feed({ kind: "recalled", ...of, record });
    } catch (error) {
      // The kernel refuses a call of a run that it knows nothing of.
      this.#parts.log(`run ${of.runId} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#feedArrival(flight);
  }

  #feedArrival(flight: Flight): void {
    const { job } = flight.exchange;
    flight.hasArrived = true;
    this.feed({ kind: "arrived", wallMs: this.#parts.clock.wallMs(), job });
    if (flight.leftCode !== null) this.#cancel(job.requestId, flight.leftCode);
  }

  /** A run of this tenant and a page of its receipts, or null when it has none of this id. */
  run(tenant: string, runId: string, page: PageOf): Promise<RunPage | null> {
    return this.#runs.page(present(this.#store, "started"), { tenant, runId, page });
  }

  /** The tenant's latest runs. */
  runs(tenant: string, limit: number): Promise<readonly RecentRun[]> {
    return present(this.#store, "started").recentRuns(tenant, limit);
  }

  /** Whether the kernel's models, backends and counts may be read; read-only. */
  get kernel(): Pick<Kernel, "models" | "serves" | "backends" | "counts" | "runsLimited" | "unsettledTenant"> {
    return this.#kernel;
  }

  /** What is wrong with the store, or null. */
  get storeTrouble(): string | null {
    return this.#storeTrouble;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * A settled receipt, `pending` while its request is open or its commit has not returned, or null when there is none of
   * this tenant: another's is as good as none, since its existence is not theirs to know.
   */
  async receipt(receiptId: RequestId, tenant: string): Promise<StoredReceipt | "pending" | null> {
    const flight = this.#flights.get(receiptId);
    if (flight !== undefined) return flight.exchange.job.principal.tenant === tenant ? "pending" : null;
    // Asked before the read, since the commit may return between the two, and a receipt that exists would seem not to.
    const waitingTenant = this.#kernel.unsettledTenant(receiptId);
    const found = await present(this.#store, "started").read(receiptId);
    if (found !== null) return found.receipt.principal.tenant === tenant ? found : null;
    return waitingTenant === tenant ? "pending" : null;
  }

  /** Takes no more requests; resolves when none is in flight, at the latest after `deadlineMs`, when the rest is cancelled. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#flights.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const requestId of this.#flights.keys()) this.#cancel(requestId, "shutting_down");
        resolve();
      }, deadlineMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onIdle = null;
  }

  /** Closes the store and the journal; resolves to the number of receipts that could not be stored. */
  async close(): Promise<number> {
    for (const timer of this.#wakes.values()) clearTimeout(timer);
    const lost = await present(this.#store, "started").close();
    await this.#parts.journal?.close();
    return lost;
  }

  appended(firstLeafIndex: number, requestIds: readonly RequestId[]): void {
    this.feed({ kind: "appended", firstLeafIndex, requestIds });
  }

  stored(requestIds: readonly RequestId[]): void {
    this.feed({ kind: "stored", requestIds });
  }

  leased(resource: string, amount: number): void {
    this.feed({ kind: "leased", resource, amount });
  }

  health(trouble: string | null): void {
    this.#storeTrouble = trouble;
    this.#parts.log(trouble === null ? "receipts are stored again" : `receipts cannot be stored: ${trouble}`);
  }

  #step(event: Event): void {
    const nowUs = this.#parts.clock.nowUs();
    const commands = this.#kernel.step(nowUs, event);
    for (const command of commands) this.#perform(command);
    // Events that this brings about wait their turn, so the kernel is as the event left it; and the client need not wait for this.
    this.#parts.journal?.record(nowUs, event, { commands, kernel: this.#kernel });
  }

  #perform(command: Command): void {
    switch (command.kind) {
      case "send":
        return this.#send(command);
      case "abort":
        return this.#abort(command);
      case "commit":
        return this.#flights.get(command.requestId)?.exchange.commit();
      case "answer":
        return this.#answer(command);
      case "join":
        return this.#flights.get(command.requestId)?.exchange.joined(command.step);
      case "wake":
        return this.#wake(command);
      case "append":
        // The last thing that happens to a request: a client that left was never answered.
        this.#land(command.requestId);
        this.#parts.onReceipt(command.receipt);
        return present(this.#store, "started").append(command.requestId, command.receipt);
      case "post":
        return present(this.#store, "started").post(command.posting);
      case "lease":
        return present(this.#store, "started").lease(command.resource, command.amount);
      default:
        return unreachable(command);
    }
  }

  #send(command: Send): void {
    const flight = present(this.#flights.get(command.requestId), "a request that is sent is in flight");
    const engine = present(this.#parts.engines.get(command.backendId), `backend ${command.backendId} has an engine`);
    const { requestId, attempt } = command;
    const { exchange } = flight;
    exchange.discard();
    flight.attempt = attempt;
    flight.call = null;
    const isCurrent = (): boolean => flight.attempt === attempt && this.#flights.get(requestId) === flight;
    flight.call = engine.send(
      {
        requestId,
        attempt,
        endpoint: exchange.job.endpoint,
        stream: exchange.job.stream,
        wantsUsage: exchange.job.wantsUsage,
        body: exchange.body,
        edits: command.edits,
        watch: command.watch,
        clientRequestId: exchange.clientRequestId,
        headers: exchange.headers,
        repeats: exchange.repeats ?? null,
      },
      {
        bytes: (chunk) => !isCurrent() || exchange.write(chunk),
        dropped: (members) => {
          if (isCurrent()) exchange.dropped(members);
        },
        first: () => this.feed({ kind: "first", requestId, attempt }),
        progress: (outputTokens) => this.feed({ kind: "progress", requestId, attempt, outputTokens }),
        finished: (end) => this.#finished(flight, { requestId, attempt, end }),
        failed: (failure) => this.#failed(flight, { requestId, attempt, failure, backendId: command.backendId }),
      },
    );
  }

  #finished(
    flight: Flight,
    of: { readonly requestId: RequestId; readonly attempt: number; readonly end: EngineEnd },
  ): void {
    const { requestId, attempt, end } = of;
    const usage = this.#usageOf(flight, end.made);
    this.feed({ kind: "finished", requestId, attempt, status: end.status, finishReason: end.finishReason, usage });
  }

  #failed(
    flight: Flight,
    of: {
      readonly requestId: RequestId;
      readonly attempt: number;
      readonly failure: EngineFailure;
      readonly backendId: BackendId;
    },
  ): void {
    const { requestId, attempt, failure, backendId } = of;
    const { code, status, retryAfterMs } = failure;
    this.#parts.log(`request ${requestId} attempt ${attempt} at ${backendId}: ${code} (${failure.detail})`);
    if (flight.attempt === attempt) {
      flight.relay = failure.relay;
      flight.told = failure.told === null ? null : { code, words: failure.told };
    }
    const usage =
      failure.made.outputText === "" && failure.made.reported === null
        ? UNKNOWN_USAGE
        : this.#usageOf(flight, failure.made);
    this.feed({ kind: "failed", requestId, attempt, code, status, retryAfterMs, usage });
  }

  #abort({ requestId, withinMs }: Abort): void {
    const call = this.#flights.get(requestId)?.call;
    if (call === undefined || call === null) return;
    if (withinMs === 0) {
      call.abort();
      return;
    }
    call.limit(withinMs);
    // It may have been paused for a client that reads no more.
    call.resume();
  }

  #answer({ requestId, result }: Answer): void {
    const flight = this.#flights.get(requestId);
    if (flight === undefined) return;
    if (result.ok) flight.exchange.end();
    else {
      const told = flight.told?.code === result.code ? flight.told.words : null;
      flight.exchange.fail({
        code: result.code,
        detail: result.detail ?? told,
        retryAfterMs: result.retryAfterMs,
        relay: result.relay ? flight.relay : null,
      });
    }
  }

  #land(requestId: RequestId): void {
    this.#flights.delete(requestId);
    const timer = this.#wakes.get(requestId);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#wakes.delete(requestId);
  }

  #wake({
    requestId,
    attempt,
    atUs,
  }: {
    readonly requestId: RequestId;
    readonly attempt: number;
    readonly atUs: number;
  }): void {
    const before = this.#wakes.get(requestId);
    if (before !== undefined) clearTimeout(before);
    // Rounded up: a wake that comes early would be taken for stale.
    const delayMs = Math.ceil((atUs - this.#parts.clock.nowUs()) / 1000) + 1;
    const timer = setTimeout(
      () => {
        this.#wakes.delete(requestId);
        this.feed({ kind: "woke", requestId, attempt });
      },
      Math.max(0, delayMs),
    );
    this.#wakes.set(requestId, timer);
  }

  #cancel(requestId: RequestId, code: Cancelled["code"]): void {
    const flight = this.#flights.get(requestId);
    if (flight === undefined) return;
    if (!flight.hasArrived) {
      flight.leftCode ??= code;
      return;
    }
    const made = flight.call?.made() ?? null;
    const usage = made === null ? UNKNOWN_USAGE : this.#usageOf(flight, made);
    this.feed({ kind: "cancelled", requestId, attempt: flight.attempt, code, usage });
  }

  /** The upstream's own counts; what it did not report is counted here and marked as an estimate. */
  #usageOf(flight: Flight, made: Made): Usage {
    const { reported } = made;
    if (reported !== null && reported.inputTokens !== null && reported.outputTokens !== null) return reported;
    const { countTokens } = this.#parts;
    return {
      inputTokens: reported?.inputTokens ?? countTokens(flight.exchange.promptText()),
      cachedInputTokens: reported?.cachedInputTokens ?? null,
      cacheWriteTokens: reported?.cacheWriteTokens ?? null,
      outputTokens: reported?.outputTokens ?? Math.max(made.contentPieces > 0 ? 1 : 0, countTokens(made.outputText)),
      reasoningTokens: reported?.reasoningTokens ?? null,
      reportedCostNanoUsd: reported?.reportedCostNanoUsd ?? null,
      method: "counted_estimate",
    };
  }
}
