import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { receiptOf } from "../../test/fakes/receipt.ts";
import type { Receipt } from "../base/receipt.ts";
import type { RunRecord } from "../base/run-record.ts";
import { SqliteLedger } from "./sqlite-ledger.ts";
import { addLeaf, type Group } from "./sqlite-messages.ts";

const dir = mkdtempSync(join(tmpdir(), "runs-"));
after(() => rmSync(dir, { recursive: true }));
let files = 0;
const newPath = (): string => join(dir, `${(files += 1)}.sqlite`);

type Step = { readonly step?: number; readonly tenant?: string };

/** A receipt of a step; without a run where `runId` is null. */
function leafOf(requestId: string, runId: string | null, { step = 1, tenant = "acme" }: Step = {}): Receipt {
  return { ...receiptOf(requestId, tenant), runId, step };
}

function groupOf(given: readonly Receipt[]): Group {
  const leaves: Group["leaves"][number][] = [];
  for (const receipt of given) addLeaf(leaves, receipt);
  return { leaves, receipts: given.map((receipt) => JSON.stringify(receipt)), postings: [] };
}

describe("the receipts of runs in the ledger's file", () => {
  test("give a run's record, which is its tenant's alone", () => {
    const ledger = new SqliteLedger(newPath());
    const steps = [leafOf("1", "r"), leafOf("2", null), leafOf("3", "r", { step: 2 })];
    ledger.commit(groupOf([...steps, leafOf("4", "r", { tenant: "other" })]));
    const record = ledger.runs.answer({ kind: "recall", tenant: "acme", runId: "r" }) as RunRecord;
    assert.equal(record.steps, 2);
    assert.deepEqual(record.totals.tokens, { value: 60, unknownSteps: 0, largest: 30 });
    for (const [tenant, runId] of [
      ["acme", "other"],
      ["nobody", "r"],
    ] as const)
      assert.equal(ledger.runs.answer({ kind: "recall", tenant, runId }), null);
    ledger.close();
  });

  test("come in pages, in order", () => {
    const ledger = new SqliteLedger(newPath());
    const rows = Array.from({ length: 5 }, (_, index) => leafOf(`r${index}`, "r", { step: index + 1 }));
    ledger.commit(groupOf([leafOf("x", "other"), ...rows]));
    const page = (last: number, limit: number): readonly number[] => {
      const found = ledger.runs.answer({ kind: "receipts", tenant: "acme", runId: "r", page: { after: last, limit } });
      return (found as readonly { leafIndex: number }[]).map(({ leafIndex }) => leafIndex);
    };
    assert.deepEqual([page(-1, 2), page(2, 2), page(4, 2), page(5, 2)], [[1, 2], [3, 4], [5], []]);
    ledger.close();
  });

  test("name the latest runs first, each once", () => {
    const ledger = new SqliteLedger(newPath());
    const own = [leafOf("1", "a"), leafOf("2", "b"), leafOf("3", "a"), leafOf("4", null)];
    ledger.commit(groupOf([...own, leafOf("5", "c", { tenant: "other" })]));
    const recent = (limit: number): unknown => ledger.runs.answer({ kind: "recent", tenant: "acme", limit });
    const lastArrivedWallMs = leafOf("1", "a").arrivedWallMs;
    const a = { runId: "a", lastReceiptId: "3", lastArrivedWallMs, lastLeafIndex: 2 };
    const b = { runId: "b", lastReceiptId: "2", lastArrivedWallMs, lastLeafIndex: 1 };
    assert.deepEqual([recent(9), recent(1)], [[a, b], [a]]);
    ledger.close();
  });

  test("are found by indices, and not by looking at every receipt", () => {
    const path = newPath();
    new SqliteLedger(path).close();
    const db = new DatabaseSync(path);
    const plan = (where: string): string => JSON.stringify(db.prepare(`EXPLAIN QUERY PLAN ${where}`).all());
    assert.match(plan("SELECT receipt FROM leaf WHERE tenant = ? AND run_id = ?"), /USING INDEX leaf_of_run/);
    const recent = "SELECT run_id FROM leaf WHERE tenant = ? AND run_id IS NOT NULL ORDER BY leaf_index DESC";
    assert.match(plan(recent), /USING COVERING INDEX leaf_with_run/);
    assert.doesNotMatch(plan(recent), /TEMP B-TREE/);
    db.close();
  });
});

test("a file of the schema before runs is brought up to date and keeps its receipts", () => {
  const path = newPath();
  const ledger = new SqliteLedger(path);
  ledger.commit(groupOf([leafOf("old", null)]));
  ledger.close();
  const db = new DatabaseSync(path);
  db.exec(
    `DROP INDEX leaf_of_run; DROP INDEX leaf_with_run; ALTER TABLE leaf DROP COLUMN run_id; PRAGMA user_version = 1;
    DROP VIEW entry; DROP TABLE posting; CREATE TABLE entry (leaf_index INTEGER);
    CREATE TABLE posting (leaf_index INTEGER PRIMARY KEY); INSERT INTO posting VALUES (0);`,
  );
  db.close();
  const mended = new SqliteLedger(path);
  assert.equal(mended.read("old")?.leafIndex, 0);
  assert.equal(mended.commit(groupOf([leafOf("new", "r")])), 1);
  assert.notEqual(mended.runs.answer({ kind: "recall", tenant: "acme", runId: "r" }), null);
  mended.close();
  const posted = new DatabaseSync(path);
  assert.deepEqual({ ...posted.prepare("SELECT sum(amount) AS n FROM entry WHERE leaf_index = 0").get() }, { n: 60 });
  posted.close();
});
