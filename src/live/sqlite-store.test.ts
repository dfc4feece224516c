import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { after, describe, mock, test } from "node:test";
import { Worker } from "node:worker_threads";
import { receiptOf } from "../../test/fakes/receipt.ts";
import { until } from "../../test/until.ts";
import type { RequestId } from "../base/ids.ts";
import { postingOf } from "../ledger/codec.ts";
import type { StoreListener } from "../ports/store.ts";
import { SqliteLedger } from "./sqlite-ledger.ts";
import { SqliteStore } from "./sqlite-store.ts";

const dir = mkdtempSync(join(tmpdir(), "store-"));
after(() => rmSync(dir, { recursive: true }));
let files = 0;
const newPath = (): string => join(dir, `${(files += 1)}.sqlite`);

interface Heard extends StoreListener {
  readonly groups: { readonly first: number; readonly ids: readonly RequestId[] }[];
  readonly posted: RequestId[];
  readonly leases: string[];
  readonly healths: (string | null)[];
}

function newListener(): Heard {
  const groups: Heard["groups"] = [];
  const posted: RequestId[] = [];
  const leases: string[] = [];
  const healths: (string | null)[] = [];
  return {
    groups,
    posted,
    leases,
    healths,
    appended: (first, ids) => void groups.push({ first, ids }),
    stored: (ids) => void posted.push(...ids),
    leased: (resource, amount) => void leases.push(`${resource} ${amount}`),
    health: (trouble) => void healths.push(trouble),
  };
}

const idsOf = (count: number, prefix = "r"): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(4, "0")}`);

function append(store: SqliteStore, ids: readonly RequestId[]): void {
  for (const id of ids) store.append(id, receiptOf(id));
}

describe("a store that works", () => {
  test("commits what comes together as one group, in order, and says so once", async () => {
    const heard = newListener();
    const store = await SqliteStore.open(newPath(), heard);
    const ids = idsOf(200);
    append(store, ids);
    await until("they are durable", () => heard.groups.length > 0);
    assert.deepEqual(heard.groups, [{ first: 0, ids }]);
    append(store, ["later"]);
    await until("the next is durable", () => heard.groups.length > 1);
    assert.deepEqual(heard.groups[1], { first: 200, ids: ["later"] });
    assert.equal(await store.close(), 0);
  });

  test("what comes while a group is under way is the next group, and none is lost or out of order", async () => {
    const heard = newListener();
    const store = await SqliteStore.open(newPath(), heard);
    const ids = idsOf(300);
    for (const id of ids) {
      append(store, [id]);
      if (id.endsWith("7")) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal(await store.close(), 0);
    assert.deepEqual(
      heard.groups.flatMap((group) => group.ids),
      ids,
    );
    let next = 0;
    for (const { first, ids: group } of heard.groups) {
      assert.equal(first, next);
      next += group.length;
    }
  });

  test("reads what it has kept, and null for the rest", async () => {
    const heard = newListener();
    const store = await SqliteStore.open(newPath(), heard);
    append(store, ["r1"]);
    await until("it is durable", () => heard.groups.length > 0);
    assert.deepEqual(await store.read("r1"), { leafIndex: 0, receipt: receiptOf("r1") });
    assert.equal(await store.read("r2"), null);
    await store.close();
  });

  test("says when postings are durable, and grants every lease at once", async () => {
    const heard = newListener();
    const store = await SqliteStore.open(newPath(), heard);
    store.lease("backend/a/concurrency", 4);
    assert.deepEqual(heard.leases, ["backend/a/concurrency 4"]);
    append(store, ["r1"]);
    await until("it is durable", () => heard.groups.length > 0);
    store.post(postingOf(receiptOf("r1"), 0));
    await until("it is posted", () => heard.posted.length > 0);
    assert.deepEqual(heard.posted, ["r1"]);
    await store.close();
  });

  test("closing commits what is pending, and the postings which that brings about", async () => {
    const path = newPath();
    const heard = newListener();
    const opened: { store?: SqliteStore } = {};
    const listener: StoreListener = {
      ...heard,
      appended: (first, ids) => {
        heard.appended(first, ids);
        ids.forEach((id, offset) => {
          opened.store?.post(postingOf(receiptOf(id), first + offset));
        });
      },
    };
    const store = await SqliteStore.open(path, listener);
    opened.store = store;
    append(store, ["r1", "r2"]);
    assert.equal(await store.close(), 0);
    assert.deepEqual(heard.posted, ["r1", "r2"]);
    const db = new DatabaseSync(path);
    assert.deepEqual({ ...db.prepare("SELECT count(*) AS n FROM posting").get() }, { n: 2 });
    db.close();
  });
});

describe("a store in trouble", () => {
  /** A file whose leaves are refused, for a while or for ever, as by a disk that is full. */
  function refusing(condition: string): string {
    const path = newPath();
    new SqliteLedger(path).close();
    const db = new DatabaseSync(path);
    db.exec(
      `CREATE TRIGGER full BEFORE INSERT ON leaf WHEN ${condition} BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    db.close();
    return path;
  }

  test("tries again what was refused, in order and before what came later, and tells of the trouble once", async () => {
    const heard = newListener();
    const path = refusing(`unixepoch('subsec') < ${Date.now() / 1000 + 0.7}`);
    const store = await SqliteStore.open(path, heard);
    append(store, ["r1", "r2"]);
    await until("it is refused", () => heard.healths.length > 0);
    append(store, ["r3"]);
    await until("they are durable", () => heard.groups.length > 0);
    assert.deepEqual(
      heard.groups.flatMap((group) => group.ids),
      ["r1", "r2", "r3"],
    );
    assert.deepEqual(heard.healths, ["disk is full", null]);
    assert.equal(await store.close(), 0);
  });

  test("closing gives up what is refused and says how much that was", async () => {
    const heard = newListener();
    const store = await SqliteStore.open(refusing("1"), heard);
    append(store, ["r1", "r2", "r3"]);
    assert.equal(await store.close(), 3);
    assert.deepEqual(heard.groups, []);
  });

  test("whose worker died refuses reads and closes with what was not written", async () => {
    const heard = newListener();
    const posts = mock.method(Worker.prototype, "postMessage");
    const store = await SqliteStore.open(newPath(), heard);
    const pending = store.read("r1").catch((error: unknown) => String(error));
    const worker = posts.mock.calls[0]?.this as Worker;
    posts.mock.restore();
    worker.emit("error", new Error("out of memory"));
    await worker.terminate();
    assert.match(String(await pending), /out of memory|null/);
    await assert.rejects(store.read("r1"), /out of memory/);
    assert.equal(heard.healths.at(-1), "out of memory");
    append(store, ["r1", "r2"]);
    assert.equal(await store.close(), 2);
  });

  test("opens no file that another process has, nor one of a newer version", async () => {
    const path = newPath();
    const store = await SqliteStore.open(path, newListener());
    await assert.rejects(SqliteStore.open(path, newListener()), /is in use by another process/);
    await store.close();
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 99");
    db.close();
    await assert.rejects(SqliteStore.open(path, newListener()), /another version/);
  });
});

// A process that appends for ever and says what was reported durable, so that it can be killed in the middle.
const WRITER = `
import { SqliteStore } from ${JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href)};
import { receiptOf } from ${JSON.stringify(new URL("../../test/fakes/receipt.ts", import.meta.url).href)};
const none = () => {};
const store = await SqliteStore.open(process.argv[2], {
  appended: (first, ids) => process.stdout.write(ids.map((id, at) => (first + at) + " " + id + "\\n").join("")),
  stored: none, leased: none, health: none,
});
let next = 0;
setInterval(() => { for (let n = 0; n < 20; n += 1) { const id = "k" + next++; store.append(id, receiptOf(id)); } }, 1);
`;

test("what was reported durable survives kill -9, under its index, and is posted at the next start", async () => {
  const path = newPath();
  // A file, since a worker takes over its process's flags and a program given by a flag has none to run.
  const program = join(dir, "writer.mjs");
  writeFileSync(program, WRITER);
  const writer = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => writer.kill("SIGKILL"));
  const durable = new Map<string, number>();
  createInterface(writer.stdout).on("line", (line) => {
    const [index = "", id] = line.split(" ");
    // A line that the kill cut has no id.
    if (id !== undefined) durable.set(id, Number(index));
  });
  await until("enough is durable", () => durable.size > 500);
  writer.kill("SIGKILL");
  await once(writer, "close");
  const ledger = new SqliteLedger(path);
  for (const [id, index] of durable) assert.equal(ledger.read(id)?.leafIndex, index, id);
  ledger.close();
  const db = new DatabaseSync(path);
  const unposted = "SELECT count(*) AS n FROM leaf WHERE leaf_index NOT IN (SELECT leaf_index FROM posting)";
  assert.deepEqual({ ...db.prepare(unposted).get() }, { n: 0 });
  const { leaves, last } = db.prepare("SELECT count(*) AS leaves, max(leaf_index) AS last FROM leaf").get() as {
    leaves: number;
    last: number;
  };
  assert.equal(leaves, last + 1, "no gap in the indices");
  db.close();
});
