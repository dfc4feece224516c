import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { configOf } from "../../test/fakes/config.ts";
import { FakeEngine, FakeExchange, FakeStore, NOTHING_MADE } from "../../test/fakes/doors.ts";
import { until } from "../../test/until.ts";
import { Replayer } from "../kernel/journal.ts";
import { systemClock } from "./clock.ts";
import { JournalFile } from "./journal-file.ts";
import { Utility } from "./utility.ts";

const dir = mkdtempSync(join(tmpdir(), "journal-"));
after(() => rmSync(dir, { recursive: true }));

/** A utility that writes to this journal, with `requests` answered, some of them after a fallback. */
function runOver(journal: JournalFile, requests: number): Utility {
  const config = configOf([{ id: "a", maxConcurrent: 2 }, { id: "b" }]);
  const engines = new Map(config.backends.map(({ id }) => [id, new FakeEngine()]));
  const store = new FakeStore();
  const utility = new Utility({ clock: systemClock, engines, journal, countTokens: () => 1, log: () => {} });
  store.listen(utility);
  utility.start(config, { store, seed: "seed" });
  const failure = {
    code: "upstream_broken",
    status: null,
    retryAfterMs: null,
    made: NOTHING_MADE,
    relay: null,
  } as const;
  let sends = 0;
  for (const engine of engines.values()) {
    engine.onSend = ({ sink }) => {
      sends += 1;
      if (sends % 5 === 0) return sink.failed({ ...failure, detail: "broken" });
      sink.first();
      sink.finished({
        status: 200,
        finishReason: "stop",
        made: { ...NOTHING_MADE, outputText: "x", contentPieces: 1 },
      });
    };
  }
  for (let index = 0; index < requests; index += 1) {
    utility.arrive(new FakeExchange(`018bcfe5-6800-7000-8000-${String(index).padStart(12, "0")}`));
    if (index % 7 === 0) store.commit();
  }
  return utility;
}

test("a journal that was written is replayed to the same commands, to its last event", async () => {
  const path = join(dir, "good.jsonl");
  const errors: Error[] = [];
  const journal = new JournalFile(path, (error) => errors.push(error));
  await runOver(journal, 1500).close();
  assert.deepEqual(errors, []);
  const text = readFileSync(path, "utf8");
  assert.ok(text.endsWith("\n"));
  const replayer = new Replayer();
  for (const line of text.trimEnd().split("\n")) assert.ok(replayer.take(line), replayer.result().mismatch ?? "");
  const { events, compared, unchecked, mismatch } = replayer.result();
  assert.ok(events > 4500 && compared >= 5, `${events} events, ${compared} compared`);
  assert.deepEqual([unchecked, mismatch], [0, null]);
});

test("a journal is for this user only, and no body is in it", async () => {
  const path = join(dir, "private.jsonl");
  await runOver(new JournalFile(path, assert.fail), 3).close();
  assert.equal(statSync(path).mode & 0o077, 0);
  assert.ok(!readFileSync(path, "utf8").includes("one two three"));
});

test("lines reach the file while it is open", async () => {
  const path = join(dir, "open.jsonl");
  const utility = runOver(new JournalFile(path, assert.fail), 3);
  await until("lines are written", () => existsSync(path) && readFileSync(path, "utf8").includes('"arrived"'));
  await utility.close();
});

test("an older file of the name is neither continued nor overwritten, and the requests go on", async () => {
  const path = join(dir, "older.jsonl");
  writeFileSync(path, "older\n");
  const errors: NodeJS.ErrnoException[] = [];
  const utility = runOver(new JournalFile(path, (error) => errors.push(error)), 3);
  await until("the error is told", () => errors.length > 0);
  assert.equal(errors[0]?.code, "EEXIST");
  utility.arrive(new FakeExchange("018bcfe5-6800-7000-8000-999999999999"));
  await utility.close();
  assert.equal(errors.length, 1);
  assert.equal(readFileSync(path, "utf8"), "older\n");
});

test("closing a journal that cannot be written tells the error once and does not reject", async () => {
  const errors: Error[] = [];
  const journal = new JournalFile(join(dir, "missing", "x.jsonl"), (error) => errors.push(error));
  await runOver(journal, 1).close();
  assert.equal(errors.length, 1);
  await journal.close();
});
