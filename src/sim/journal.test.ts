import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type JournalSnapshot, Replayer } from "../kernel/journal.ts";
import { simulate } from "./run.ts";

/** Replays lines until the first difference. */
function replay(lines: readonly string[], replayer = new Replayer()): ReturnType<Replayer["result"]> {
  for (const line of lines) if (!replayer.take(line)) break;
  return replayer.result();
}

describe("the journal of a simulated run", () => {
  let lines: readonly string[] = [];

  before(() => {
    let text = "";
    const journal = (more: string): void => void (text += more);
    simulate({ seed: "journal", requests: 8_000, faults: { processCrash: 0, staleEvents: 200 }, journal });
    lines = text.trimEnd().split("\n");
  });

  test("replays exactly, at every digest and snapshot", () => {
    const result = replay(lines);
    assert.equal(result.mismatch, null);
    assert.equal(result.unchecked, 0);
    assert.ok(result.events > 20_000, `${result.events} events`);
    assert.ok(result.compared > result.events / 1000);
  });

  test("replays from a snapshot in the middle to the same end", () => {
    const starts = lines.flatMap((line, index) => (line.includes('"snapshot":') ? [index] : []));
    assert.ok(starts.length >= 2, `${starts.length} snapshots`);
    const whole = replay(lines);
    for (const start of starts) {
      const snapshot = JSON.parse(lines[start] ?? "") as JournalSnapshot;
      const result = replay(lines.slice(start + 1), Replayer.from(snapshot));
      assert.deepEqual([result.mismatch, result.digest, result.events], [null, whole.digest, whole.events]);
    }
  });

  test("shows events that were changed", () => {
    // A single one may have been stale, and then it changes nothing.
    const isLate = (at: number): boolean => at > 3_000 && at < 4_000;
    const changed = lines.map((line, at) => (isLate(at) ? line.replace('"status":200', '"status":201') : line));
    assert.notDeepEqual(changed, lines);
    assert.match(replay(changed).mismatch ?? "", /commands differ somewhere in events \d+001 to \d+000/);
  });

  test("shows an event that was taken out", () => {
    const index = lines.findIndex((line, at) => at > 3_000 && line.includes('"kind":"arrived"'));
    const cut = lines.toSpliced(index, 1);
    // Counted lines no longer stand where they belong, or the kernel is told of a request that never came.
    assert.throws(() => replay(cut));
  });

  test("shows a digest and a snapshot that were changed", () => {
    const digest = lines.findIndex((line) => line.includes('"digest":"'));
    const flipped = (lines[digest] ?? "").replace(/.(?="\}$)/, (digit) => (digit === "0" ? "1" : "0"));
    assert.match(replay(lines.with(digest, flipped)).mismatch ?? "", /commands differ/);
    const snapshot = lines.findIndex((line) => line.includes('"snapshot":'));
    const value = JSON.parse(lines[snapshot] ?? "") as JournalSnapshot;
    const [backend] = value.snapshot.backends;
    assert.ok(backend !== undefined);
    backend.sends += 1;
    assert.match(replay(lines.with(snapshot, JSON.stringify(value))).mismatch ?? "", /state differs/);
  });
});
