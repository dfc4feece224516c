import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Idempotency, type KeptAnswer, type Recording } from "./idempotency.ts";

const LIMITS = { keepMs: 1000, maxBytes: 100_000 };
const HEAD = { status: 200, headers: ["content-type", "text/plain"] };
const use = (key: string, fingerprint = "body", tenant = "t") => ({ tenant, key, fingerprint });

function begin(store: Idempotency, key: string, nowMs = 0): Recording {
  const claimed = store.claim(use(key), nowMs);
  return claimed.kind === "new" ? claimed.recording : assert.fail(claimed.kind);
}

function finish(store: Idempotency, key: string, of: { readonly bytes: number; readonly nowMs?: number }): void {
  const recording = begin(store, key, of.nowMs);
  recording.add(Buffer.alloc(of.bytes, key));
  recording.keep(HEAD, of.nowMs ?? 0);
}

describe("a key", () => {
  test("replays what was recorded to the same request of the same tenant, until its time is over", () => {
    const store = new Idempotency(LIMITS);
    const recording = begin(store, "k");
    recording.add(Buffer.from("one "));
    recording.add(Buffer.from("two"));
    assert.equal(store.claim(use("k"), 5).kind, "in_progress");
    assert.equal(store.claim(use("k", "other"), 5).kind, "conflict");
    recording.keep(HEAD, 10);
    const claimed = store.claim(use("k"), 1009);
    assert.equal(claimed.kind === "replay" && claimed.answer.body.toString(), "one two");
    assert.deepEqual(claimed.kind === "replay" && claimed.answer.headers, HEAD.headers);
    assert.equal(store.claim(use("k", "other"), 1009).kind, "conflict");
    assert.equal(store.claim(use("k", "body", "other"), 1009).kind, "new");
    assert.equal(store.claim(use("k"), 1010).kind, "new");
  });

  test("whose answer failed is as good as new", () => {
    const store = new Idempotency(LIMITS);
    const recording = begin(store, "k");
    recording.add(Buffer.alloc(10));
    recording.drop();
    assert.equal(store.bytes, 0);
    const again = begin(store, "k");
    // What an earlier recording still says is no news.
    recording.add(Buffer.alloc(10));
    recording.keep(HEAD, 0);
    recording.drop();
    again.keep(HEAD, 0);
    assert.equal(store.claim(use("k"), 1).kind, "replay");
  });

  test("whose answer is too large is not kept, and pushes out no more than it must", () => {
    const store = new Idempotency(LIMITS);
    finish(store, "small", { bytes: 10 });
    finish(store, "large", { bytes: 200_000 });
    assert.equal(store.claim(use("large"), 0).kind, "new");
    assert.ok(store.bytes <= LIMITS.maxBytes);
  });

  test("that is the oldest makes room", () => {
    const store = new Idempotency(LIMITS);
    for (const key of ["a", "b", "c"]) finish(store, key, { bytes: 40_000 });
    assert.deepEqual(
      ["b", "c", "a"].map((key) => store.claim(use(key), 0).kind),
      ["replay", "replay", "new"],
    );
  });
});

/** What a client may do with one of a few keys, and how much time passes. */
const step = fc.record({
  key: fc.constantFrom("a", "b", "c", "d"),
  fingerprint: fc.constantFrom("x", "x", "x", "y"),
  action: fc.constantFrom("claim", "add", "keep", "drop"),
  bytes: fc.nat({ max: 60_000 }),
  passMs: fc.constantFrom(0, 0, 1, 400, 2000),
});

interface Known {
  readonly fingerprint: string;
  readonly recording: Recording;
  text: string;
  keptAtMs: number | null;
}

test("whatever happens, a replay is the whole answer to the same request, in its time, and memory stays in its bound", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new Idempotency(LIMITS);
      const known = new Map<string, Known>();
      let nowMs = 0;
      for (const { key, fingerprint, action, bytes, passMs } of steps) {
        nowMs += passMs;
        const before = known.get(key);
        if (action === "claim") {
          const claimed = store.claim(use(key, fingerprint), nowMs);
          const isOpen = before !== undefined && before.keptAtMs === null;
          if (claimed.kind === "new") {
            assert.ok(!isOpen, "a key in progress is never given twice");
            known.set(key, { fingerprint, recording: claimed.recording, text: "", keptAtMs: null });
          } else {
            assert.ok(before !== undefined);
            assert.equal(claimed.kind === "conflict", fingerprint !== before.fingerprint);
            if (claimed.kind === "in_progress") assert.ok(isOpen);
            if (claimed.kind === "replay") checkReplay(claimed.answer, before, nowMs);
          }
        } else if (before !== undefined && before.keptAtMs === null) {
          play(action, { before, bytes, nowMs });
          if (action === "drop") known.delete(key);
        }
        assert.ok(store.bytes >= 0 && store.bytes <= LIMITS.maxBytes);
      }
    }),
    { numRuns: 500 },
  );
});

function play(action: string, of: { readonly before: Known; readonly bytes: number; readonly nowMs: number }): void {
  const { before, bytes, nowMs } = of;
  if (action === "add") {
    const piece = String(bytes % 10).repeat(bytes);
    before.text += piece;
    before.recording.add(Buffer.from(piece));
  } else if (action === "keep") {
    before.keptAtMs = nowMs;
    before.recording.keep(HEAD, nowMs);
  } else before.recording.drop();
}

function checkReplay(answer: KeptAnswer, before: Known, nowMs: number): void {
  assert.ok(before.keptAtMs !== null && nowMs - before.keptAtMs < LIMITS.keepMs);
  assert.equal(answer.body.toString(), before.text);
}
