import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
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
  /** Commits what is pending and closes; resolves to the number of receipts that could not be written. */
  close(): Promise<number>;
}
