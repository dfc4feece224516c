import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { RunRecord } from "../base/run-record.ts";
import type { Posting } from "../ledger/codec.ts";
import type { RunQuery } from "./sqlite-runs.ts";
import type { PageOf, RecentRun, Store, StoredReceipt, StoreListener } from "../ports/store.ts";
import type { FromWorker, LeafRow, ToWorker } from "./sqlite-messages.ts";

// Commits are at least this far apart, so that each takes a group along: an fsync costs the same for one as for hundreds.
const COMMIT_EVERY_MS = 5;
// Postings wait for the next receipts to go along with: nobody waits for them, and a crash loses none, since they are made
// again from the receipts. A commit of their own would cost each request of a quiet hour a second fsync.
const POST_WITHIN_MS = 100;
const RETRY_MS = 500;

/**
 * The embedded store: node:sqlite in a worker thread, since its commits wait for the disk and streams must not. One group is
 * in flight at a time; what comes meanwhile is the next group. Owned by the composition root.
 */
export class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #listener: StoreListener;
  #leaves: LeafRow[] = [];
  #postings: Posting[] = [];
  #inFlight: { readonly leaves: readonly LeafRow[]; readonly postings: readonly Posting[] } | null = null;
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

  private constructor(worker: Worker, listener: StoreListener) {
    this.#worker = worker;
    this.#listener = listener;
    worker.on("message", (message: FromWorker) => this.#onMessage(message));
    worker.on("error", (error) => this.#onDeath(error instanceof Error ? error : new Error(String(error))));
  }

  /** Opens (or makes) the database file; rejects when it cannot be used. */
  static async open(path: string, listener: StoreListener): Promise<SqliteStore> {
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
    return new SqliteStore(worker, listener);
  }

  append(requestId: RequestId, receipt: Receipt): void {
    const row = {
      requestId,
      tenant: receipt.principal.tenant,
      runId: receipt.runId,
      wallMs: receipt.arrivedWallMs,
      json: JSON.stringify(receipt),
    };
    this.#leaves.push(row);
    if (this.#isLazy) this.#unschedule();
    this.#schedule(COMMIT_EVERY_MS);
  }

  post(posting: Posting): void {
    this.#postings.push(posting);
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
    if (this.#leaves.length === 0 && this.#postings.length === 0) {
      if (this.#closing !== null) void this.#end(0);
      return;
    }
    this.#inFlight = { leaves: this.#leaves, postings: this.#postings };
    this.#leaves = [];
    this.#postings = [];
    this.#send({ kind: "commit", ...this.#inFlight });
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
    const group = this.#inFlight;
    this.#inFlight = null;
    if (group === null) return;
    this.#health(null);
    if (group.leaves.length > 0)
      this.#listener.appended(
        firstLeafIndex,
        group.leaves.map((leaf) => leaf.requestId),
      );
    if (group.postings.length > 0) this.#listener.stored(group.postings.map((posting) => posting.requestId));
    if (this.#closing !== null) this.#commit();
    else if (this.#leaves.length > 0) {
      // Postings of this very group may have set it for later.
      if (this.#isLazy) this.#unschedule();
      this.#schedule(COMMIT_EVERY_MS);
    } else if (this.#postings.length > 0) this.#schedule(POST_WITHIN_MS, true);
  }

  /** The group goes back to the front, in order, to be tried again; a closing store gives up and says how many are lost. */
  #onRefused(message: string): void {
    const group = this.#inFlight;
    this.#inFlight = null;
    if (group !== null) {
      this.#leaves = [...group.leaves, ...this.#leaves];
      this.#postings = [...group.postings, ...this.#postings];
    }
    this.#health(message);
    if (this.#closing !== null) void this.#end(this.#leaves.length);
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
    return this.#leaves.length + (this.#inFlight?.leaves.length ?? 0);
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
