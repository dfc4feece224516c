import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import { postingOf } from "../ledger/codec.ts";
import type { StoredReceipt } from "../ports/store.ts";
import { addPosting, type Group } from "./sqlite-messages.ts";
import { RunQueries, RUNS_SCHEMA } from "./sqlite-runs.ts";

const SCHEMA_VERSION = 3;
const LEAF_COLUMNS = 4;
const POSTING_COLUMNS = 8;

// One row a receipt and one a posting, each at the end of its table, since rows are most of what storing costs. What a
// receipt's text says is not written again, and the ledger's lines are read out of the posting.

const LEAF_SCHEMA = `
  CREATE TABLE leaf (
    leaf_index INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    wall_ms INTEGER NOT NULL,
    receipt TEXT NOT NULL
  ) STRICT;
`;

const LEDGER_SCHEMA = `
  CREATE TABLE posting (
    leaf_index INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    backend TEXT NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_nanousd INTEGER,
    energy_millijoule INTEGER,
    carbon_microgram INTEGER
  ) STRICT;
  CREATE VIEW entry AS ${[
    ["tokens/input", "token", "input_tokens"],
    ["tokens/output", "token", "output_tokens"],
    ["cost", "nanousd", "cost_nanousd"],
    ["energy", "millijoule", "energy_millijoule"],
    ["carbon", "microgram", "carbon_microgram"],
  ]
    .map(
      ([name, unit, column]) => `SELECT leaf_index, 'tenant/' || tenant || '/${name}' AS debit,
        'backend/' || backend || '/${name}' AS credit, '${unit}' AS unit, ${column} AS amount FROM posting WHERE ${column} > 0`,
    )
    .join(" UNION ALL ")};
`;

/**
 * Receipts and postings in one SQLite file (WAL, synchronous=FULL: a commit that returned survives a power cut). Synchronous,
 * so it lives in a worker thread. Owns the database handle.
 */
export class SqliteLedger {
  readonly #db: DatabaseSync;
  readonly #insertLeaf: StatementSync;
  readonly #insertPosting: StatementSync;
  readonly #selectLeaf: StatementSync;
  /** Answers what is asked of runs. */
  readonly runs: RunQueries;
  #nextLeafIndex: number;

  /** Opens or makes the file, and posts what a crash left unposted. Throws in words for a person when it cannot. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    try {
      // A second process on the same file would hand out the same leaf indices. The lock must be asked for before the first
      // access, and is taken by it: asked for later, it would be taken at the first write, after both have counted the leaves.
      this.#db.exec("PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE;");
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT;");
      this.#migrate(path);
      this.#insertLeaf = this.#db.prepare("INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?)");
      this.#insertPosting = this.#db.prepare("INSERT OR IGNORE INTO posting VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
      this.#selectLeaf = this.#db.prepare("SELECT leaf_index, receipt FROM leaf WHERE request_id = ?");
      this.runs = new RunQueries(this.#db);
      const row = this.#db.prepare("SELECT max(leaf_index) AS last FROM leaf").get() as { last: number | null };
      this.#nextLeafIndex = row.last === null ? 0 : row.last + 1;
      this.#recover();
    } catch (error) {
      // An open handle would keep the file locked for whoever tries next.
      this.#db.close();
      throw isLocked(error)
        ? new Error(`${path} is in use by another process; stop that one, or use another --data-dir`, { cause: error })
        : error;
    }
  }

  /** Writes one group in one transaction; returns the first leaf's index. Throws, with nothing written, when it cannot. */
  commit({ leaves, receipts, postings }: Group): number {
    const first = this.#nextLeafIndex;
    this.#transaction(() => {
      receipts.forEach((receipt, offset) => {
        const [requestId, tenant, wallMs, runId] = leaves.slice(offset * LEAF_COLUMNS, (offset + 1) * LEAF_COLUMNS);
        this.#insertLeaf.run(first + offset, requestId ?? null, tenant ?? null, wallMs ?? null, receipt, runId ?? null);
      });
      for (let at = 0; at < postings.length; at += POSTING_COLUMNS) {
        this.#insertPosting.run(...postings.slice(at, at + POSTING_COLUMNS));
      }
    });
    this.#nextLeafIndex = first + receipts.length;
    return first;
  }

  read(receiptId: RequestId): StoredReceipt | null {
    const row = this.#selectLeaf.get(receiptId) as { leaf_index: number; receipt: string } | undefined;
    if (row === undefined) return null;
    return { leafIndex: row.leaf_index, receipt: JSON.parse(row.receipt) as Receipt };
  }

  close(): void {
    this.#db.close();
  }

  #transaction(work: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      // A full disk may have ended the transaction already; rolling back twice would hide the reason.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #migrate(path: string): void {
    const { user_version: version } = this.#db.prepare("PRAGMA user_version").get() as { user_version: number };
    if (version === SCHEMA_VERSION) return;
    if (version > SCHEMA_VERSION)
      throw new Error(
        `${path} was written by another version of Baseload (schema ${version}); use that one, or another --data-dir`,
      );
    this.#transaction(() => {
      if (version < 1) this.#db.exec(LEAF_SCHEMA);
      if (version < 2) this.#db.exec(RUNS_SCHEMA);
      // The ledger is made again from the receipts, whatever form it had.
      if (version > 0) this.#db.exec("DROP TABLE posting; DROP TABLE entry;");
      this.#db.exec(LEDGER_SCHEMA);
      this.#db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
  }

  /** The ledger is a projection of the leaves: what a crash kept from being posted is posted now. */
  #recover(): void {
    const unposted = "SELECT leaf_index, receipt FROM leaf WHERE leaf_index NOT IN (SELECT leaf_index FROM posting)";
    const rows = this.#db.prepare(unposted).all() as { leaf_index: number; receipt: string }[];
    const postings: Group["postings"][number][] = [];
    for (const row of rows) addPosting(postings, postingOf(JSON.parse(row.receipt) as Receipt, row.leaf_index));
    if (rows.length > 0) this.commit({ leaves: [], receipts: [], postings });
  }
}

const SQLITE_BUSY = 5;

function isLocked(error: unknown): boolean {
  return (error as { readonly errcode?: unknown } | null)?.errcode === SQLITE_BUSY;
}
