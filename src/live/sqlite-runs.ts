import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Receipt } from "../base/receipt.ts";
import { addToRun, newRunRecord, type RunRecord } from "../base/run-record.ts";
import type { PageOf, RecentRun, StoredReceipt } from "../ports/store.ts";

/** Column and indices by which the receipts of runs are found; a receipt outside a run is in neither index. */
export const RUNS_SCHEMA = `
  ALTER TABLE leaf ADD COLUMN run_id TEXT;
  CREATE INDEX leaf_of_run ON leaf (tenant, run_id, leaf_index) WHERE run_id IS NOT NULL;
  CREATE INDEX leaf_with_run ON leaf (tenant, leaf_index, run_id) WHERE run_id IS NOT NULL;
`;

/** What may be asked of the receipts of runs. */
export type RunQuery =
  | { readonly kind: "recall"; readonly tenant: string; readonly runId: string }
  | { readonly kind: "receipts"; readonly tenant: string; readonly runId: string; readonly page: PageOf }
  | { readonly kind: "recent"; readonly tenant: string; readonly limit: number };

// A tenant with one run of many thousand receipts must not have them all read for a list.
const RECENT_LOOK = 10_000;

interface Row {
  readonly leaf_index: number;
  readonly receipt: string;
}

/** Reads the receipts of runs. Owned by the ledger whose database it reads. */
export class RunQueries {
  readonly #ofRun: StatementSync;
  readonly #page: StatementSync;
  readonly #recent: StatementSync;
  readonly #leaf: StatementSync;

  constructor(db: DatabaseSync) {
    const ofRun = "SELECT leaf_index, receipt FROM leaf WHERE tenant = ? AND run_id = ?";
    this.#ofRun = db.prepare(ofRun);
    this.#page = db.prepare(`${ofRun} AND leaf_index > ? ORDER BY leaf_index LIMIT ?`);
    this.#recent = db.prepare(
      "SELECT run_id, leaf_index FROM leaf WHERE tenant = ? AND run_id IS NOT NULL ORDER BY leaf_index DESC LIMIT ?",
    );
    this.#leaf = db.prepare("SELECT request_id, wall_ms FROM leaf WHERE leaf_index = ?");
  }

  /** The answer to a query: a record or null, stored receipts, or recent runs. */
  answer(query: RunQuery): RunRecord | null | readonly StoredReceipt[] | readonly RecentRun[] {
    if (query.kind === "recall") return this.#recall(query.tenant, query.runId);
    if (query.kind === "recent") return this.#recentOf(query.tenant, query.limit);
    const { tenant, runId, page } = query;
    const rows = this.#page.all(tenant, runId, page.after, page.limit) as unknown as readonly Row[];
    return rows.map((row) => ({ leafIndex: row.leaf_index, receipt: JSON.parse(row.receipt) as Receipt }));
  }

  #recall(tenant: string, runId: string): RunRecord | null {
    let record: RunRecord | null = null;
    for (const row of this.#ofRun.iterate(tenant, runId) as unknown as Iterable<Row>) {
      record ??= newRunRecord();
      addToRun(record, JSON.parse(row.receipt) as Receipt);
    }
    return record;
  }

  #recentOf(tenant: string, limit: number): readonly RecentRun[] {
    const last = new Map<string, number>();
    const rows = this.#recent.iterate(tenant, RECENT_LOOK) as unknown as Iterable<{
      readonly run_id: string;
      readonly leaf_index: number;
    }>;
    for (const row of rows) {
      if (!last.has(row.run_id)) last.set(row.run_id, row.leaf_index);
      if (last.size === limit) break;
    }
    return [...last].map(([runId, leafIndex]) => {
      const leaf = this.#leaf.get(leafIndex) as { request_id: string; wall_ms: number };
      return { runId, lastReceiptId: leaf.request_id, lastArrivedWallMs: leaf.wall_ms, lastLeafIndex: leafIndex };
    });
  }
}
