import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { ShelfKey } from "../ports/shelf.ts";
import { FileShelf } from "./file-shelf.ts";

const folders: string[] = [];
after(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "baseload-shelf-"));
  folders.push(path);
  return path;
}

const key = (id: string, tenant = "a"): ShelfKey => ({ kind: "files", tenant, id });

describe("a shelf of files", () => {
  test("keeps documents and contents over a restart, each tenant its own, the newest first", async () => {
    const root = folder();
    const shelf = await FileShelf.open(root, 1000);
    await shelf.put(key("file-1"), { n: 1 });
    await shelf.put(key("file-2"), { n: 2 });
    await shelf.put(key("file-1", "../b"), { n: 3 });
    const draft = shelf.draftPath("upload");
    writeFileSync(draft, "content");
    await shelf.keep(key("file-1"), draft);
    const again = await FileShelf.open(root, 1000);
    assert.deepEqual(await again.ids("files", "a"), ["file-2", "file-1"]);
    assert.deepEqual([await again.get(key("file-1")), await again.get(key("file-1", "../b"))], [{ n: 1 }, { n: 3 }]);
    assert.equal(readFileSync(again.contentPath(key("file-1")), "utf8"), "content");
    assert.deepEqual((await again.all("files")).map(({ key: { tenant } }) => tenant).toSorted(), ["../b", "a", "a"]);
    assert.equal(again.freeBytes, shelf.freeBytes);
  });

  test("counts what it holds: writing again, keeping and removing", async () => {
    const shelf = await FileShelf.open(folder(), 1000);
    await shelf.put(key("file-1"), { text: "x".repeat(100) });
    const one = shelf.freeBytes;
    await shelf.put(key("file-1"), { text: "y".repeat(100) });
    assert.equal(shelf.freeBytes, one);
    const draft = shelf.draftPath("upload");
    writeFileSync(draft, "z".repeat(200));
    await shelf.keep(key("file-1"), draft);
    assert.equal(shelf.freeBytes, one - 200);
    assert.equal(await shelf.remove(key("file-1")), true);
    assert.deepEqual([shelf.freeBytes, await shelf.remove(key("file-1"))], [1000, false]);
    assert.equal(await shelf.get(key("file-1")), null);
  });

  test("forgets what was put before a time, of one kind, and counts it no more", async () => {
    const shelf = await FileShelf.open(folder(), 1000);
    const response: ShelfKey = { kind: "responses", tenant: "a", id: "resp_1" };
    await shelf.put(key("file-1"), { n: 1 });
    const before = shelf.freeBytes;
    await shelf.removeBefore("responses", Date.now() + 1000);
    await shelf.put(response, { n: 2 });
    await shelf.removeBefore("responses", Date.now() - 60_000);
    assert.deepEqual(await shelf.get(response), { n: 2 });
    await shelf.removeBefore("responses", Date.now() + 60_000);
    assert.deepEqual([await shelf.get(response), await shelf.get(key("file-1"))], [null, { n: 1 }]);
    assert.equal(shelf.freeBytes, before);
  });

  test("an id that would lead out of its folder is nothing", async () => {
    const shelf = await FileShelf.open(folder(), 1000);
    for (const id of ["../../etc/passwd", "a/b", "", ".", "x".repeat(101)]) {
      assert.equal(await shelf.get(key(id)), null, id);
      assert.equal(await shelf.remove(key(id)), false, id);
      await assert.rejects(shelf.put(key(id), {}), /an id is checked/);
    }
  });
});
