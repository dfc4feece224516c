import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { receiptOf } from "../../test/fakes/receipt.ts";
import { isUuid } from "../base/ids.ts";
import { systemClock } from "./clock.ts";
import { Mint } from "./mint.ts";
import { receiptPrinter } from "./receipt-text.ts";
import { lazyTokenCounter } from "./token-counter.ts";

describe("the mint", () => {
  test("never makes the same id twice, in one millisecond or over many pools of random bytes", () => {
    const mint = new Mint();
    const ids = Array.from({ length: 20_000 }, () => mint.requestId(1_700_000_000_000));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.every(isUuid));
  });

  test("two mints do not make the same ids", () => {
    const [a, b] = [new Mint(), new Mint()];
    assert.notEqual(a.requestId(1_700_000_000_000), b.requestId(1_700_000_000_000));
  });

  test("ids of later milliseconds sort after those of earlier ones", () => {
    const mint = new Mint();
    const times = [0, 1, 255, 256, 2 ** 24 - 1, 2 ** 24, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1];
    const ids = times.map((wallMs) => mint.requestId(wallMs));
    assert.deepEqual(ids.toSorted(), ids);
    assert.ok(
      ids.every((id) => /^.{14}7.{4}[89ab]/.test(id)),
      "version 7, variant 10",
    );
  });
});

test("a receipt's text is its JSON, whichever receipt was printed before", () => {
  const print = receiptPrinter();
  const [a, b] = [receiptOf("a"), receiptOf("b")];
  for (const receipt of [a, a, b, a, receiptOf("a"), b]) assert.equal(print(receipt), JSON.stringify(receipt));
});

test("the clock gives whole microseconds that do not go back", () => {
  let before = systemClock.nowUs();
  for (let round = 0; round < 1000; round += 1) {
    const now = systemClock.nowUs();
    assert.ok(Number.isSafeInteger(now) && now >= before);
    before = now;
  }
  assert.ok(Number.isSafeInteger(systemClock.wallMs()));
});

describe("the token counter", () => {
  const count = lazyTokenCounter();
  const sentence = "The price of energy in the city was high that winter. ";

  test("counts words about as a tokenizer does, and nothing as nothing", () => {
    assert.equal(count(""), 0);
    assert.equal(count("Hello world"), 2);
    assert.ok(count("日本語のテキスト 🌍") > 3);
  });

  test("takes special tokens in a user's text for text", () => {
    assert.ok(count("<|endoftext|>") > 1);
    assert.ok(count("a <|im_start|>system<|im_end|> b") > 5);
  });

  test("scales what lies beyond its bound", () => {
    const half = sentence.repeat(3600);
    const whole = sentence.repeat(36_000);
    const ratio = count(whole) / count(half);
    assert.ok(ratio > 9.9 && ratio < 10.1, String(ratio));
  });

  test("a word, a gap or a line of signs without end does not stop everything else", () => {
    const letters = Array.from({ length: 200_000 }, (_, at) => String.fromCharCode(97 + (((at * at) >> 3) % 26))).join(
      "",
    );
    for (const text of [
      letters,
      "a".repeat(200_000),
      " ".repeat(200_000),
      "=-".repeat(100_000),
      "語".repeat(200_000),
    ]) {
      const began = performance.now();
      assert.ok(count(text) > 100);
      // Without a bound each takes half a minute; with it, a fraction of a second.
      assert.ok(performance.now() - began < 5000);
    }
  });

  test("cutting long runs changes the count of a text with one by little", () => {
    const text = sentence.repeat(200);
    const withRun = `${text}${"x".repeat(300)}`;
    assert.ok(Math.abs(count(withRun) - count(text) - count("x".repeat(256))) < count(text) * 0.05);
  });
});
