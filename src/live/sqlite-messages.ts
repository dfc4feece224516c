import type { RequestId } from "../base/ids.ts";
import type { Posting } from "../ledger/codec.ts";
import type { StoredReceipt } from "../ports/store.ts";

/** One group of receipts and postings, as columns: what goes between threads is copied, and a few long arrays are copied fastest. */
export interface Group {
  readonly requestIds: readonly RequestId[];
  /** The receipts' texts, in the order of `requestIds`. */
  readonly receipts: readonly string[];
  /** The columns of the postings, row after row. */
  readonly postings: readonly (string | number | null)[];
}

/** What the store asks of its worker. */
export type ToWorker =
  | { readonly kind: "commit"; readonly group: Group }
  | { readonly kind: "read"; readonly id: number; readonly receiptId: RequestId }
  | { readonly kind: "close" };

/** What the worker answers. */
export type FromWorker =
  | { readonly kind: "opened" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "committed"; readonly firstLeafIndex: number }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "read"; readonly id: number; readonly found: StoredReceipt | null; readonly error: string | null };

/** Adds a posting's columns to those of a group. */
export function addPosting(columns: (string | number | null)[], posting: Posting): void {
  const { inputTokens, outputTokens, costNanoUsd, energyMilliJoules, carbonMicrograms } = posting.amounts;
  columns.push(posting.leafIndex, posting.tenant, posting.backend);
  columns.push(inputTokens, outputTokens, costNanoUsd, energyMilliJoules, carbonMicrograms);
}
