import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, WriteStream, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, mock, test } from "node:test";
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
  const utility = new Utility({
    clock: systemClock,
    engines,
    journal,
    countTokens: () => 1,
    onReceipt: () => {},
    log: () => {},
  });
  store.listen(utility);
  utility.start(config, { store, seed: "seed" });
  const failure = {
    code: "upstream_broken",
    status: null,
    retryAfterMs: null,
    made: NOTHING_MADE,
    relay: null,
    told: null,
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

test("an older file of the name is refused in words, and neither continued nor overwritten", () => {
  const path = join(dir, "older.jsonl");
  writeFileSync(path, "older\n");
  assert.throws(() => new JournalFile(path, assert.fail), /older\.jsonl exists already; name another file/);
  assert.equal(readFileSync(path, "utf8"), "older\n");
});

test("a journal that cannot be made is refused in words", () => {
  assert.throws(() => new JournalFile(join(dir, "missing", "x.jsonl"), assert.fail), /cannot be written: ENOENT/);
});

/** Every write of every file fails from now on; returns what ends that. */
function fillDisk(): () => void {
  const fail = (_chunk: unknown, _encoding: unknown, done: (error: Error) => void): void =>
    done(new Error("disk is full"));
  const write = mock.method(WriteStream.prototype, "_write", fail);
  return () => write.mock.restore();
}

test("a journal whose disk fails tells the error once, the requests go on, and closing does not reject", async () => {
  const errors: Error[] = [];
  const freeDisk = fillDisk();
  const journal = new JournalFile(join(dir, "full.jsonl"), (error) => errors.push(error));
  const utility = runOver(journal, 3);
  await until("the error is told", () => errors.length > 0);
  const late = new FakeExchange("018bcfe5-6800-7000-8000-999999999999");
  utility.arrive(late);
  assert.ok(late.log.length > 0);
  await utility.close();
  freeDisk();
  assert.deepEqual(
    errors.map(({ message }) => message),
    ["disk is full"],
  );
});

test("a disk that fails only at the close tells the error once, and closing does not reject", async () => {
  const errors: Error[] = [];
  const utility = runOver(new JournalFile(join(dir, "late.jsonl"), (error) => errors.push(error)), 1);
  const freeDisk = fillDisk();
  await utility.close();
  freeDisk();
  assert.equal(errors.length, 1);
});
