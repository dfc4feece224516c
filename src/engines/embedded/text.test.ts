import assert from "node:assert/strict";
import { test } from "node:test";
import type { Token } from "node-llama-cpp";
import { Detokenizer, StopScanner } from "./text.ts";

/** A tokenizer whose tokens are bytes, the hardest case for whole characters. */
const byteModel = {
  detokenize: (tokens: readonly Token[]): string => new TextDecoder().decode(Uint8Array.from(tokens)),
};

function showBytes(bytes: Iterable<number>): string[] {
  const detokenizer = new Detokenizer(byteModel, []);
  const shown = Array.from(bytes, (byte) => detokenizer.push(byte as Token));
  return [...shown, detokenizer.flush()];
}

test("characters of several bytes are shown whole and once", () => {
  const text = "a é € 🌞🌞 z";
  const shown = showBytes(new TextEncoder().encode(text));
  assert.equal(shown.join(""), text);
  for (const piece of shown) assert.ok(!piece.includes("\ufffd"), JSON.stringify(shown));
});

test("bytes that are no character are shown as replacements, and do not spoil what follows", () => {
  assert.equal(showBytes([0x61, 0xff, 0xff, 0x62]).join(""), "a\ufffd\ufffdb");
  assert.equal(showBytes([0x61, 0xe2, 0x82]).join(""), "a\ufffd", "an unfinished character at the end");
  assert.equal(showBytes([0xff, ...new TextEncoder().encode("é")]).join(""), "\ufffdé");
});

function scan(stop: string[], pieces: string[]): { shown: string; stopped: boolean } {
  const scanner = new StopScanner(stop);
  let shown = "";
  for (const piece of pieces) {
    const step = scanner.push(piece);
    shown += step.shown;
    if (step.stopped) return { shown, stopped: true };
  }
  return { shown: shown + scanner.flush(), stopped: false };
}

test("a stop sequence is never shown, however it is split", () => {
  for (const pieces of [["one END two"], ["one E", "N", "D two"], [..."one END two"]]) {
    assert.deepEqual(scan(["END"], pieces), { shown: "one ", stopped: true });
  }
});

test("a beginning of a stop sequence that goes on otherwise is shown", () => {
  assert.deepEqual(scan(["END"], [..."EEN ENE EN"]), { shown: "EEN ENE EN", stopped: false });
  assert.deepEqual(scan(["aab"], [..."aaab!"]), { shown: "a", stopped: true });
});

test("the earliest of several stop sequences ends the text", () => {
  assert.deepEqual(scan(["later", "so"], ["and so on later"]), { shown: "and ", stopped: true });
});
