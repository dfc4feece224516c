import type { RequestId } from "../base/ids.ts";
import type { Posting } from "../ledger/codec.ts";
import type { RunQuery } from "./sqlite-runs.ts";
import type { StoredReceipt } from "../ports/store.ts";

/** One receipt as a row. */
export interface LeafRow {
  readonly requestId: RequestId;
  readonly tenant: string;
  readonly runId: string | null;
  readonly wallMs: number;
  readonly json: string;
}

/** What the store asks of its worker. */
export type ToWorker =
  | { readonly kind: "commit"; readonly leaves: readonly LeafRow[]; readonly postings: readonly Posting[] }
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
