import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { RunRecord } from "../base/run-record.ts";
import type { Posting } from "../ledger/codec.ts";
import type { RunQuery } from "./sqlite-runs.ts";
import type { PageOf, RecentRun, Store, StoredReceipt, StoreListener } from "../ports/store.ts";
import { addLeaf, addPosting, type FromWorker, type ToWorker } from "./sqlite-messages.ts";

// Commits are at least this far apart, so that each takes a group along: an fsync costs the same for one as for hundreds.
const COMMIT_EVERY_MS = 10;
// Postings wait for the next receipts to go along with: nobody waits for them, and a crash loses none, since they are made
// again from the receipts. A commit of their own would cost each request of a quiet hour a second fsync.
const POST_WITHIN_MS = 100;
const RETRY_MS = 500;

/** What waits for a commit, or is in one. */
class Batch {
  readonly requestIds: RequestId[] = [];
  readonly leaves: (string | number | null)[] = [];
  readonly receipts: string[] = [];
  readonly postings: (string | number | null)[] = [];
  /** Whose postings these are. */
  readonly posted: RequestId[] = [];

  get isEmpty(): boolean {
    return this.requestIds.length === 0 && this.posted.length === 0;
  }

  /** Takes up what came later. */
  add(later: Batch): void {
    for (const requestId of later.requestIds) this.requestIds.push(requestId);
    for (const column of later.leaves) this.leaves.push(column);
    for (const receipt of later.receipts) this.receipts.push(receipt);
    for (const column of later.postings) this.postings.push(column);
    for (const requestId of later.posted) this.posted.push(requestId);
  }
}

/**
 * The embedded store: node:sqlite in a worker thread, since its commits wait for the disk and streams must not. One group is
 * in flight at a time; what comes meanwhile is the next group. Owned by the composition root.
 */
export class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #listener: StoreListener;
  readonly #print: (receipt: Receipt) => string;
  #waiting = new Batch();
  #inFlight: Batch | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Whether the timer is set for postings alone, so that a receipt may set it forward. */
  #isLazy = false;
  readonly #reads = new Map<
    number,
    // What is read belongs to what was asked for, and whoever asks knows its type.
    { resolve: (found: never) => void; reject: (error: Error) => void }
  >();
  #nextRead = 1;
  #trouble: string | null = null;
  #closing: ((lost: number) => void) | null = null;
  /** Why the worker ended by itself, or null. */
  #death: Error | null = null;

  private constructor(worker: Worker, listener: StoreListener, print: (receipt: Receipt) => string) {
    this.#worker = worker;
    this.#listener = listener;
    this.#print = print;
    worker.on("message", (message: FromWorker) => this.#onMessage(message));
    worker.on("error", (error) => this.#onDeath(error instanceof Error ? error : new Error(String(error))));
  }

  /** Opens (or makes) the database file; rejects when it cannot be used. `print` gives a receipt's JSON. */
  static async open(
    path: string,
    listener: StoreListener,
    print: (receipt: Receipt) => string = JSON.stringify,
  ): Promise<SqliteStore> {
    const worker = new Worker(new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: { path },
    });
    const opened = await new Promise<FromWorker>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (opened.kind === "failed") {
      await worker.terminate();
      throw new Error(opened.message);
    }
    return new SqliteStore(worker, listener, print);
  }

  append(requestId: RequestId, receipt: Receipt): void {
    this.#waiting.requestIds.push(requestId);
    addLeaf(this.#waiting.leaves, receipt);
    this.#waiting.receipts.push(this.#print(receipt));
    if (this.#isLazy) this.#unschedule();
    this.#schedule(COMMIT_EVERY_MS);
  }

  post(posting: Posting): void {
    addPosting(this.#waiting.postings, posting);
    this.#waiting.posted.push(posting.requestId);
    this.#schedule(POST_WITHIN_MS, true);
  }

  /** One process has the store to itself: it is granted everything. */
  lease(resource: string, amount: number): void {
    this.#listener.leased(resource, amount);
  }

  read(receiptId: RequestId): Promise<StoredReceipt | null> {
    return this.#ask((id) => ({ kind: "read", id, receiptId }));
  }

  recall(tenant: string, runId: string): Promise<RunRecord | null> {
    return this.#askOfRuns({ kind: "recall", tenant, runId });
  }

  runReceipts(tenant: string, runId: string, page: PageOf): Promise<readonly StoredReceipt[]> {
    return this.#askOfRuns({ kind: "receipts", tenant, runId, page });
  }

  recentRuns(tenant: string, limit: number): Promise<readonly RecentRun[]> {
    return this.#askOfRuns({ kind: "recent", tenant, limit });
  }

  #askOfRuns<T>(query: RunQuery): Promise<T> {
    return this.#ask((id) => ({ kind: "ask", id, query }));
  }

  #ask<T>(messageOf: (id: number) => ToWorker): Promise<T> {
    if (this.#death !== null) return Promise.reject(this.#death);
    const id = this.#nextRead++;
    return new Promise<T>((resolve, reject) => {
      this.#reads.set(id, { resolve, reject });
      this.#send(messageOf(id));
    });
  }

  close(): Promise<number> {
    if (this.#death !== null) return Promise.resolve(this.#unwritten());
    return new Promise((resolve) => {
      this.#closing = resolve;
      this.#commit();
    });
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #schedule(afterMs: number, isLazy = false): void {
    if (this.#timer !== null || this.#inFlight !== null) return;
    this.#isLazy = isLazy;
    this.#timer = setTimeout(() => this.#commit(), afterMs);
  }

  #unschedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isLazy = false;
  }

  #commit(): void {
    this.#unschedule();
    if (this.#inFlight !== null) return;
    if (this.#waiting.isEmpty) {
      if (this.#closing !== null) void this.#end(0);
      return;
    }
    const batch = this.#waiting;
    this.#inFlight = batch;
    this.#waiting = new Batch();
    const { leaves, receipts, postings } = batch;
    this.#send({ kind: "commit", group: { leaves, receipts, postings } });
  }

  #onMessage(message: FromWorker): void {
    if (message.kind === "committed") return this.#onCommitted(message.firstLeafIndex);
    if (message.kind === "refused") return this.#onRefused(message.message);
    if (message.kind === "read" || message.kind === "told") {
      const waiting = this.#reads.get(message.id);
      this.#reads.delete(message.id);
      if (message.error !== null) waiting?.reject(new Error(message.error));
      else waiting?.resolve((message.kind === "read" ? message.found : message.value) as never);
    }
  }

  #onCommitted(firstLeafIndex: number): void {
    const batch = this.#inFlight;
    this.#inFlight = null;
    if (batch === null) return;
    this.#health(null);
    if (batch.requestIds.length > 0) this.#listener.appended(firstLeafIndex, batch.requestIds);
    if (batch.posted.length > 0) this.#listener.stored(batch.posted);
    if (this.#closing !== null) this.#commit();
    else if (this.#waiting.requestIds.length > 0) {
      // Postings of this very group may have set it for later.
      if (this.#isLazy) this.#unschedule();
      this.#schedule(COMMIT_EVERY_MS);
    } else if (!this.#waiting.isEmpty) this.#schedule(POST_WITHIN_MS, true);
  }

  /** The group goes back to the front, in order, to be tried again; a closing store gives up and says how many are lost. */
  #onRefused(message: string): void {
    const batch = this.#inFlight;
    this.#inFlight = null;
    if (batch !== null) {
      batch.add(this.#waiting);
      this.#waiting = batch;
    }
    this.#health(message);
    if (this.#closing !== null) void this.#end(this.#unwritten());
    else this.#schedule(RETRY_MS);
  }

  /** No worker answers any more: reads are refused, and whoever closes hears how much was not written. */
  #onDeath(error: Error): void {
    this.#death = error;
    this.#health(error.message);
    for (const waiting of this.#reads.values()) waiting.reject(error);
    this.#reads.clear();
    this.#closing?.(this.#unwritten());
  }

  #unwritten(): number {
    return this.#waiting.requestIds.length + (this.#inFlight?.requestIds.length ?? 0);
  }

  #health(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#listener.health(trouble);
  }

  async #end(lost: number): Promise<void> {
    this.#send({ kind: "close" });
    await new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#closing?.(lost);
  }
}
