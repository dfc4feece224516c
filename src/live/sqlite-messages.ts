import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import type { Posting } from "../ledger/codec.ts";
import type { RunQuery } from "./sqlite-runs.ts";
import type { StoredReceipt } from "../ports/store.ts";

/** One group of receipts and postings, as columns: what goes between threads is copied, and a few long arrays are copied fastest. */
export interface Group {
  /** What receipts are found by, row after row: request id, tenant, wall time and run. */
  readonly leaves: readonly (string | number | null)[];
  /** The receipts' texts, in the order of `leaves`. */
  readonly receipts: readonly string[];
  /** The columns of the postings, row after row. */
  readonly postings: readonly (string | number | null)[];
}

/** What the store asks of its worker. */
export type ToWorker =
  | { readonly kind: "commit"; readonly group: Group }
  | { readonly kind: "read"; readonly id: number; readonly receiptId: RequestId }
  | { readonly kind: "ask"; readonly id: number; readonly query: RunQuery }
  | { readonly kind: "close" };

/** What the worker answers. */
export type FromWorker =
  | { readonly kind: "opened" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "committed"; readonly firstLeafIndex: number }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "read"; readonly id: number; readonly found: StoredReceipt | null; readonly error: string | null }
  | { readonly kind: "told"; readonly id: number; readonly value: unknown; readonly error: string | null };

/** Adds a posting's columns to those of a group. */
export function addPosting(columns: (string | number | null)[], posting: Posting): void {
  const { inputTokens, outputTokens, costNanoUsd, energyMilliJoules, carbonMicrograms } = posting.amounts;
  columns.push(posting.leafIndex, posting.tenant, posting.backend);
  columns.push(inputTokens, outputTokens, costNanoUsd, energyMilliJoules, carbonMicrograms);
}

/** Adds what a receipt is found by to the leaves of a group. */
export function addLeaf(columns: (string | number | null)[], receipt: Receipt): void {
  columns.push(receipt.receiptId, receipt.principal.tenant, receipt.arrivedWallMs, receipt.runId);
}
