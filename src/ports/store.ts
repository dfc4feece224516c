import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { RunRecord } from "../base/run-record.ts";
import type { Post } from "../kernel/command.ts";

/** Hears of commits. */
export interface StoreListener {
  /** These receipts are durable, with leaf indices from `firstLeafIndex` on in this order. */
  appended(firstLeafIndex: number, requestIds: readonly RequestId[]): void;
  /** These postings are durable. */
  stored(requestIds: readonly RequestId[]): void;
  leased(resource: string, amount: number): void;
  /** The store's health changed; null is well, a text says what is wrong. */
  health(trouble: string | null): void;
}

/** A receipt as it is kept. */
export interface StoredReceipt {
  readonly leafIndex: number;
  readonly receipt: Receipt;
}

/** Which receipts of a run: at most `limit`, after the leaf index `after`. */
export interface PageOf {
  readonly after: number;
  readonly limit: number;
}

/** A run by its latest receipt. */
export interface RecentRun {
  readonly runId: string;
  readonly lastReceiptId: RequestId;
  readonly lastArrivedWallMs: number;
  readonly lastLeafIndex: number;
}

/**
 * Keeps receipts and postings. Contract: `append` and `post` return at once; the listener hears when they are durable, in
 * order, each once; what was reported durable survives kill -9 and power loss; what cannot be written is tried again until
 * it can or the store is closed. Posting a leaf index twice is the same as once.
 */
export interface Store {
  append(requestId: RequestId, receipt: Receipt): void;
  post(posting: Post["posting"]): void;
  lease(resource: string, amount: number): void;
  read(receiptId: RequestId): Promise<StoredReceipt | null>;
  /** What the stored receipts of a tenant's run tell of it, or null when there is none. */
  recall(tenant: string, runId: string): Promise<RunRecord | null>;
  /** The stored receipts of a tenant's run, in the order of their leaf indices. */
  runReceipts(tenant: string, runId: string, page: PageOf): Promise<readonly StoredReceipt[]>;
  /** The tenant's runs with the latest receipts, the latest first. */
  recentRuns(tenant: string, limit: number): Promise<readonly RecentRun[]>;
  /** Commits what is pending and closes; resolves to the number of receipts that could not be written. */
  close(): Promise<number>;
}
