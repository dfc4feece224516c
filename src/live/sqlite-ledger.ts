import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import { entriesOf, type Posting } from "../ledger/codec.ts";
import type { StoredReceipt } from "../ports/store.ts";
import { RunQueries, RUNS_SCHEMA } from "./sqlite-runs.ts";
import type { LeafRow } from "./sqlite-messages.ts";

const SCHEMA_VERSION = 2;

const SCHEMA = `
  CREATE TABLE leaf (
    leaf_index INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    wall_ms INTEGER NOT NULL,
    receipt TEXT NOT NULL
  ) STRICT;
  CREATE TABLE posting (leaf_index INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE entry (
    leaf_index INTEGER NOT NULL,
    line INTEGER NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (leaf_index, line)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Receipts and postings in one SQLite file (WAL, synchronous=FULL: a commit that returned survives a power cut). Synchronous,
 * so it lives in a worker thread. Owns the database handle.
 */
export class SqliteLedger {
  readonly #db: DatabaseSync;
  readonly #insertLeaf: StatementSync;
  readonly #insertPosting: StatementSync;
  readonly #insertEntry: StatementSync;
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
      this.#insertPosting = this.#db.prepare("INSERT OR IGNORE INTO posting VALUES (?)");
      this.#insertEntry = this.#db.prepare("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)");
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
  commit(leaves: readonly LeafRow[], postings: readonly Posting[]): number {
    const first = this.#nextLeafIndex;
    this.#transaction(() => {
      leaves.forEach((leaf, offset) => {
        this.#insertLeaf.run(first + offset, leaf.requestId, leaf.tenant, leaf.wallMs, leaf.json, leaf.runId);
      });
      for (const posting of postings) this.#post(posting);
    });
    this.#nextLeafIndex = first + leaves.length;
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

  #post(posting: Posting): void {
    const { changes } = this.#insertPosting.run(posting.leafIndex);
    if (changes === 0) return;
    posting.entries.forEach((entry, line) => {
      this.#insertEntry.run(posting.leafIndex, line, entry.debit, entry.credit, entry.unit, entry.amount);
    });
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
      if (version < 1) this.#db.exec(SCHEMA);
      this.#db.exec(RUNS_SCHEMA);
      this.#db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
  }

  /** The ledger is a projection of the leaves: what a crash kept from being posted is posted now. */
  #recover(): void {
    const rows = this.#db
      .prepare(
        "SELECT leaf_index, request_id, receipt FROM leaf WHERE leaf_index NOT IN (SELECT leaf_index FROM posting)",
      )
      .all() as { leaf_index: number; request_id: string; receipt: string }[];
    if (rows.length === 0) return;
    this.#transaction(() => {
      for (const row of rows) {
        const entries = entriesOf(JSON.parse(row.receipt) as Receipt);
        this.#post({ leafIndex: row.leaf_index, requestId: row.request_id, entries });
      }
    });
  }
}

const SQLITE_BUSY = 5;

function isLocked(error: unknown): boolean {
  return (error as { readonly errcode?: unknown } | null)?.errcode === SQLITE_BUSY;
}
