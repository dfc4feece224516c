import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { receiptOf } from "../../test/fakes/receipt.ts";
import type { RequestId } from "../base/ids.ts";
import { postingOf } from "../ledger/codec.ts";
import { SqliteLedger } from "./sqlite-ledger.ts";
import { addLeaf, addPosting, type Group } from "./sqlite-messages.ts";

const dir = mkdtempSync(join(tmpdir(), "ledger-"));
after(() => rmSync(dir, { recursive: true }));
let files = 0;
const newPath = (): string => join(dir, `${(files += 1)}.sqlite`);

/** A group of these receipts, of one tenant, and of postings by leaf index. */
function groupOf(
  ids: readonly RequestId[],
  posted: readonly (readonly [number, RequestId])[] = [],
  tenant = "default",
): Group {
  const postings: Group["postings"][number][] = [];
  for (const [leafIndex, id] of posted) addPosting(postings, postingOf(receiptOf(id), leafIndex));
  const leaves: Group["leaves"][number][] = [];
  const given = ids.map((id) => receiptOf(id, tenant));
  for (const receipt of given) addLeaf(leaves, receipt);
  return { leaves, receipts: given.map((receipt) => JSON.stringify(receipt)), postings };
}

/** What a query says of a closed ledger's file. */
function query(path: string, sql: string): unknown[] {
  const db = new DatabaseSync(path);
  const rows = db.prepare(sql).all();
  db.close();
  return rows.map((row) => ({ ...row }));
}

// Of a receipt of the fake: two counts of tokens and a cost.
const LINES = 3;
const POSTED = "SELECT leaf_index AS leaf, count(*) AS lines FROM entry GROUP BY leaf_index ORDER BY leaf_index";

describe("the ledger's file", () => {
  test("numbers leaves on from where it stopped, in the order given, over a restart too", () => {
    const path = newPath();
    const first = new SqliteLedger(path);
    assert.equal(first.commit(groupOf(["r0", "r1"])), 0);
    assert.equal(first.commit(groupOf(["r2"])), 2);
    first.close();
    const second = new SqliteLedger(path);
    assert.equal(second.commit(groupOf(["r3"])), 3);
    assert.deepEqual(
      ["r0", "r1", "r2", "r3"].map((id) => second.read(id)?.leafIndex),
      [0, 1, 2, 3],
    );
    second.close();
  });

  test("gives back what was written, and null for what was not", () => {
    const ledger = new SqliteLedger(newPath());
    ledger.commit(groupOf(["r0"], [], "acme"));
    assert.deepEqual(ledger.read("r0"), { leafIndex: 0, receipt: receiptOf("r0", "acme") });
    assert.equal(ledger.read("r1"), null);
    ledger.close();
  });

  test("writes all of a group or nothing of it", () => {
    const path = newPath();
    const ledger = new SqliteLedger(path);
    ledger.commit(groupOf(["r0"]));
    assert.throws(() => ledger.commit(groupOf(["r1", "r0"], [[0, "r0"]])), /UNIQUE/);
    assert.equal(ledger.read("r1"), null);
    assert.equal(ledger.commit(groupOf(["r1"])), 1, "no index is lost");
    ledger.close();
    // The two leaves were posted by nobody, so that the next opening does.
    new SqliteLedger(path).close();
    assert.equal(query(path, POSTED).length, 2);
  });

  test("posts a leaf once, however often it is told to", () => {
    const path = newPath();
    const ledger = new SqliteLedger(path);
    ledger.commit(groupOf(["r0"]));
    ledger.commit(
      groupOf(
        [],
        [
          [0, "r0"],
          [0, "r0"],
        ],
      ),
    );
    ledger.commit(groupOf([], [[0, "r0"]]));
    ledger.close();
    assert.deepEqual(query(path, POSTED), [{ leaf: 0, lines: LINES }]);
  });

  test("posts at its opening what a crash left unposted, and only that", () => {
    const path = newPath();
    const ledger = new SqliteLedger(path);
    ledger.commit(groupOf(["r0", "r1", "r2"]));
    ledger.commit(groupOf([], [[1, "r1"]]));
    ledger.close();
    assert.deepEqual(query(path, POSTED), [{ leaf: 1, lines: LINES }]);
    new SqliteLedger(path).close();
    const all = [0, 1, 2].map((leaf) => ({ leaf, lines: LINES }));
    assert.deepEqual(query(path, POSTED), all);
    new SqliteLedger(path).close();
    assert.deepEqual(query(path, POSTED), all);
    assert.deepEqual(query(path, "SELECT * FROM entry WHERE leaf_index = 2 AND unit = 'nanousd'"), [
      { leaf_index: 2, debit: "tenant/default/cost", credit: "backend/a/cost", unit: "nanousd", amount: 30 },
    ]);
    const sums = query(path, "SELECT unit, sum(amount) AS sum FROM entry GROUP BY unit ORDER BY unit");
    assert.deepEqual(sums, [
      { unit: "nanousd", sum: 90 },
      { unit: "token", sum: 90 },
    ]);
  });

  test("commits are written through to the disk", () => {
    const path = newPath();
    new SqliteLedger(path).close();
    assert.deepEqual(query(path, "PRAGMA journal_mode"), [{ journal_mode: "wal" }]);
    // `synchronous` belongs to the connection and cannot be asked from outside; test/scenarios kills the whole process.
  });
});

describe("a file that cannot be used", () => {
  test("is refused in words when another process has it, whether new or old", () => {
    for (const isNew of [true, false]) {
      const path = newPath();
      if (!isNew) new SqliteLedger(path).close();
      const holder = new SqliteLedger(path);
      assert.throws(() => new SqliteLedger(path), /is in use by another process.*--data-dir/);
      holder.commit(groupOf(["r0"]));
      holder.close();
      new SqliteLedger(path).close();
    }
  });

  test("is refused in words when an newer version wrote it, and is left as it is", () => {
    for (const version of [4, 99]) {
      const path = newPath();
      new SqliteLedger(path).close();
      const db = new DatabaseSync(path);
      db.exec(`PRAGMA user_version = ${version}`);
      db.close();
      const refusal = new RegExp(`another version of Baseload \\(schema ${version}\\).*--data-dir`);
      assert.throws(() => new SqliteLedger(path), refusal);
      assert.deepEqual(query(path, "PRAGMA user_version"), [{ user_version: version }]);
    }
  });

  test("is refused when it is no database or its directory is missing", () => {
    assert.throws(() => new SqliteLedger(join(dir, "missing", "x.sqlite")), /unable to open/);
    assert.throws(() => new SqliteLedger(new URL(import.meta.url).pathname), /not a database/);
  });
});
