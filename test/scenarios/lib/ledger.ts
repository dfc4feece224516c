import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Receipt } from "../../../src/base/receipt.ts";

/** One line of the ledger. */
export interface EntryRow {
  readonly leafIndex: number;
  readonly debit: string;
  readonly credit: string;
  readonly unit: string;
  readonly amount: number;
}

/** All that a data directory keeps of receipts, in the order of their leaves. */
export interface Kept {
  readonly leaves: readonly { readonly leafIndex: number; readonly receipt: Receipt }[];
  /** Leaf indices that were posted. */
  readonly posted: readonly number[];
  readonly entries: readonly EntryRow[];
}

/** Reads the database of a server that has ended: a running one has it to itself. */
export function readKept(dataDir: string): Kept {
  const database = new DatabaseSync(join(dataDir, "baseload.sqlite"));
  try {
    const rows = <T>(sql: string): T[] => database.prepare(sql).all() as T[];
    return {
      leaves: rows<{ leafIndex: number; receipt: string }>(
        "SELECT leaf_index AS leafIndex, receipt FROM leaf ORDER BY leaf_index",
      ).map(({ leafIndex, receipt }) => ({ leafIndex, receipt: JSON.parse(receipt) as Receipt })),
      posted: rows<{ leafIndex: number }>("SELECT leaf_index AS leafIndex FROM posting ORDER BY leaf_index").map(
        ({ leafIndex }) => leafIndex,
      ),
      entries: rows<EntryRow>("SELECT leaf_index AS leafIndex, debit, credit, unit, amount FROM entry"),
    };
  } finally {
    database.close();
  }
}
