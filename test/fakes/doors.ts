import type { RequestId } from "../../src/base/ids.ts";
import type { Endpoint, Job } from "../../src/base/job.ts";
import type { Receipt } from "../../src/base/receipt.ts";
import type { Posting } from "../../src/ledger/codec.ts";
import type { Engine, EngineCall, EngineReport, EngineSink, Made, SendOrder } from "../../src/ports/engine.ts";
import type { Exchange, ExchangeFailure } from "../../src/ports/exchange.ts";
import { addToRun, newRunRecord, type RunRecord } from "../../src/base/run-record.ts";
import type { PageOf, RecentRun, Store, StoredReceipt, StoreListener } from "../../src/ports/store.ts";

/** Nothing made. */
export const NOTHING_MADE: Made = { reported: null, outputText: "", contentPieces: 0 };

/** One send that a fake engine took; the test plays the upstream through its sink. */
export interface FakeSend {
  readonly order: SendOrder;
  readonly sink: EngineSink;
  aborted: number;
  /** The limits it was given, in milliseconds. */
  readonly limits: number[];
  resumed: number;
}

/** An engine that does nothing by itself. */
export class FakeEngine implements Engine {
  readonly sends: FakeSend[] = [];
  /** What an abort returns. */
  made: Made = NOTHING_MADE;
  /** Called inside `send`, for what an engine may say before `send` returns. */
  onSend: (send: FakeSend) => void = () => {};

  send(order: SendOrder, sink: EngineSink): EngineCall {
    const send: FakeSend = { order, sink, aborted: 0, limits: [], resumed: 0 };
    this.sends.push(send);
    this.onSend(send);
    return {
      made: () => this.made,
      limit: (withinMs) => void send.limits.push(withinMs),
      abort: () => {
        send.aborted += 1;
        return this.made;
      },
      resume: () => void (send.resumed += 1),
    };
  }

  probe(): Promise<EngineReport> {
    return Promise.resolve({ state: "up", models: null, contextTokens: null });
  }

  retire(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A client whose answer is kept as a list of what happened to it. */
export class FakeExchange implements Exchange {
  readonly job: Job;
  readonly body: Buffer;
  readonly clientRequestId = "client-1";
  readonly headers = {};
  readonly log: string[] = [];
  failure: ExchangeFailure | null = null;
  /** What `write` answers. */
  wantsMore = true;
  onCommit: () => void = () => {};
  #held: string[] = [];
  #isCommitted = false;

  constructor(requestId: RequestId, change: Partial<Job> = {}) {
    this.job = { ...jobOf(requestId), ...change };
    this.body = Buffer.from(JSON.stringify({ model: this.job.model }));
  }

  promptText(): string {
    return "one two three";
  }

  joined(step: number): void {
    this.log.push(`joined ${step}`);
  }

  write(chunk: Buffer): boolean {
    if (this.#isCommitted) this.log.push(`sent ${chunk.toString()}`);
    else this.#held.push(chunk.toString());
    return this.wantsMore;
  }

  discard(): void {
    if (this.#held.length > 0) this.log.push(`discarded ${this.#held.join("")}`);
    this.#held = [];
  }

  dropped(members: readonly string[]): void {
    this.log.push(`dropped ${members.join(", ")}`);
  }

  commit(): void {
    this.#isCommitted = true;
    this.log.push("committed", ...this.#held.map((held) => `sent ${held}`));
    this.#held = [];
    this.onCommit();
  }

  end(): void {
    this.log.push("ended");
  }

  fail(failure: ExchangeFailure): void {
    this.failure = failure;
    this.log.push(`failed ${failure.code}`);
  }
}

/** A job of the tenant `default` for the model `m`, streamed. */
export function jobOf(requestId: RequestId): Job {
  return {
    requestId,
    principal: { tenant: "default", project: null, user: null, key: null },
    class: "standard",
    model: "m",
    endpoint: "chat" satisfies Endpoint,
    stream: true,
    wantsUsage: false,
    bodyBytes: 20,
    promptTextLength: 13,
    maxOutputTokens: null,
    attributes: {},
    prefixHashes: [],
    blockTokens: null,
    run: null,
  };
}

/** A store in memory that commits when it is told to. */
export class FakeStore implements Store {
  readonly kept = new Map<RequestId, StoredReceipt>();
  readonly postings: Posting[] = [];
  lost = 0;
  isClosed = false;
  recalls = 0;
  /** Called inside `read`, before its answer is known. */
  onRead: () => void = () => {};
  #listener: StoreListener | null = null;
  #pending: { readonly requestId: RequestId; readonly receipt: Receipt }[] = [];
  #posted: RequestId[] = [];

  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  append(requestId: RequestId, receipt: Receipt): void {
    this.#pending.push({ requestId, receipt });
  }

  post(posting: Posting): void {
    this.postings.push(posting);
    this.#posted.push(posting.requestId);
  }

  lease(resource: string, amount: number): void {
    this.#listener?.leased(resource, amount);
  }

  async read(receiptId: RequestId): Promise<StoredReceipt | null> {
    const found = this.kept.get(receiptId) ?? null;
    this.onRead();
    return found;
  }

  async recall(tenant: string, runId: string): Promise<RunRecord | null> {
    this.recalls += 1;
    this.onRead();
    const receipts = await this.runReceipts(tenant, runId, { after: -1, limit: Infinity });
    if (receipts.length === 0) return null;
    const record = newRunRecord();
    for (const { receipt } of receipts) addToRun(record, receipt);
    return record;
  }

  async runReceipts(tenant: string, runId: string, page: PageOf): Promise<readonly StoredReceipt[]> {
    return [...this.kept.values()]
      .filter(({ receipt }) => receipt.principal.tenant === tenant && receipt.runId === runId)
      .filter(({ leafIndex }) => leafIndex > page.after)
      .slice(0, page.limit);
  }

  recentRuns(): Promise<readonly RecentRun[]> {
    return Promise.resolve([]);
  }

  close(): Promise<number> {
    this.isClosed = true;
    return Promise.resolve(this.lost);
  }

  /** Receipts that wait for a commit. */
  get waiting(): readonly RequestId[] {
    return this.#pending.map(({ requestId }) => requestId);
  }

  /** Makes what waits durable and says so. */
  commit(): void {
    const group = this.#pending;
    const first = this.kept.size;
    this.#pending = [];
    group.forEach(({ requestId, receipt }, offset) => {
      this.kept.set(requestId, { leafIndex: first + offset, receipt });
    });
    const ids = group.map(({ requestId }) => requestId);
    if (ids.length > 0) this.#listener?.appended(first, ids);
    const posted = this.#posted;
    this.#posted = [];
    if (posted.length > 0) this.#listener?.stored(posted);
  }
}
