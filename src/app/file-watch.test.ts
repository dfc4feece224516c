import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../test/until.ts";
import { FileWatch } from "./file-watch.ts";

const folder = mkdtempSync(join(tmpdir(), "baseload-watch-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function watching(name: string, text: string | null) {
  const path = join(folder, name);
  const heard: string[] = [];
  const watch = new FileWatch(path, text, {
    changed: (now) => heard.push(now),
    trouble: (words) => heard.push(`trouble: ${words}`),
  });
  return { path, heard, watch, [Symbol.dispose]: () => watch.stop() };
}

test("steps of one change are told as one, and the same text not at all", async () => {
  writeFileSync(join(folder, "a"), "1");
  using watched = watching("a", "1");
  watched.watch.start();
  for (const text of ["", "2", "3"]) writeFileSync(watched.path, text);
  await until("the change is told", () => watched.heard.length > 0);
  writeFileSync(join(folder, "another"), "x");
  writeFileSync(watched.path, "3");
  await sleep(600);
  assert.deepEqual(watched.heard, ["3"]);
});

test("a file put in the place of another is seen, and so is a change between the first read and the watch", async () => {
  writeFileSync(join(folder, "b"), "new");
  using watched = watching("b", "old");
  watched.watch.start();
  await until("the early change is told", () => watched.heard.length === 1);
  writeFileSync(join(folder, "b.tmp"), "newer");
  renameSync(join(folder, "b.tmp"), watched.path);
  await until("the other file is told", () => watched.heard.length === 2);
  assert.deepEqual(watched.heard, ["new", "newer"]);
});

test("a neighbour that is written all the time, such as a journal, does not hold a change back", async () => {
  writeFileSync(join(folder, "f"), "1");
  using watched = watching("f", "1");
  watched.watch.start();
  const noise = setInterval(() => writeFileSync(join(folder, "journal"), "x"), 20);
  try {
    writeFileSync(watched.path, "2");
    await until("the change is told", () => watched.heard.length > 0);
  } finally {
    clearInterval(noise);
  }
  assert.deepEqual(watched.heard, ["2"]);
});

test("a file that is away is told of once, and when it is asked for; a folder that is away, at once", async () => {
  writeFileSync(join(folder, "c"), "1");
  using watched = watching("c", "1");
  watched.watch.start();
  rmSync(watched.path);
  await until("its absence is told", () => watched.heard.length === 1);
  writeFileSync(join(folder, "another"), "y");
  await sleep(600);
  assert.equal(watched.heard.length, 1);
  watched.watch.now();
  assert.match(watched.heard[1] ?? "", /trouble: .*c cannot be read/);
  using lost = watching("none/d", null);
  lost.watch.start();
  assert.match(lost.heard[0] ?? "", /cannot be watched/);
});

test("asked to, it tells of a file that has not changed", () => {
  writeFileSync(join(folder, "e"), "1");
  using watched = watching("e", "1");
  watched.watch.now();
  assert.deepEqual(watched.heard, ["1"]);
});
