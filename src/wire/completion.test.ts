import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Piece, readPiece } from "./completion.ts";

const chunk = (delta: object, finish: string | null = null): object => ({
  id: "c",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const read = (delta: object, finish: string | null = null): Piece => readPiece(chunk(delta, finish));

describe("what one chunk says", () => {
  test("a role alone is no content, in each engine's spelling of it", () => {
    const openings = [
      { role: "assistant", content: "", refusal: null },
      { role: "assistant", content: null, reasoning_content: null, tool_calls: null },
      { role: "assistant", content: "", reasoning: null, tool_calls: [] },
      { role: "assistant" },
      {},
    ];
    for (const delta of openings) {
      const piece = read(delta);
      assert.equal(piece.hasContent, false, JSON.stringify(delta));
      assert.equal(piece.text, "");
      assert.equal(piece.malformed, false);
    }
  });

  test("content, reasoning and refusals are text, in the spellings of OpenAI, vLLM, SGLang, DeepSeek and OpenRouter", () => {
    const cases: readonly (readonly [object, string])[] = [
      [{ content: "Hi" }, "Hi"],
      [{ refusal: "No" }, "No"],
      [{ content: null, reasoning_content: "Hm" }, "Hm"],
      [{ content: "", reasoning: "Hm", reasoning_details: [{ type: "reasoning.text", text: "Hm" }] }, "Hm"],
      [{ content: "Hi", reasoning_content: "Hm" }, "HiHm"],
    ];
    for (const [delta, text] of cases) {
      const piece = read(delta);
      assert.equal(piece.text, text);
      assert.equal(piece.hasContent, true);
    }
  });

  test("reasoning in two spellings at once is counted once", () => {
    assert.equal(read({ reasoning_content: "Hm", reasoning: "Hm" }).text, "Hm");
    assert.equal(read({ reasoning_content: "", reasoning: "Hm" }).text, "Hm");
  });

  test("tool calls and the older function call are content, and their text counts", () => {
    const opening = { tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "f", arguments: "" } }] };
    assert.deepEqual([read(opening).hasContent, read(opening).text], [true, "f"]);
    assert.equal(read({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }).text, '{"a"');
    assert.equal(read({ tool_calls: [{ index: 0, type: "custom" }] }).hasContent, true);
    assert.deepEqual(read({ function_call: { name: "f", arguments: "{}" } }).text, "f{}");
  });

  test("a finish reason is content, since an empty answer is an answer too", () => {
    const piece = read({}, "stop");
    assert.deepEqual([piece.hasContent, piece.text, piece.finishReason], [true, "", "stop"]);
  });

  test("usage without choices is told from usage beside choices", () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2 };
    assert.equal(readPiece({ choices: [], usage }).isUsageOnly, true);
    assert.equal(readPiece({ choices: [], usage: null }).isUsageOnly, false);
    assert.equal(readPiece({ ...chunk({ content: "x" }), usage }).isUsageOnly, false);
    assert.equal(readPiece({ ...chunk({ content: "x" }), usage }).usage?.outputTokens, 2);
  });

  test("a text completion's choices carry plain text", () => {
    assert.equal(readPiece({ choices: [{ index: 0, text: "Hi", finish_reason: null }] }).text, "Hi");
    assert.equal(readPiece({ choices: [{ index: 0, text: "", finish_reason: null }] }).hasContent, false);
  });

  test("all choices of an answer count", () => {
    const choices = ["a", "b"].map((content, index) => ({ index, message: { content }, finish_reason: "stop" }));
    assert.equal(readPiece({ choices }).text, "ab");
  });
});

describe("what is no completion", () => {
  test("an error member is an error, in any shape, and null is none", () => {
    assert.equal(readPiece({ error: { message: "broke" } }).error?.message, "broke");
    assert.equal(readPiece({ error: "broke" }).error?.message, "broke");
    assert.equal(readPiece({ error: { code: 7 } }).error?.message, "an error");
    assert.equal(readPiece({ error: null, choices: [] }).error, null);
  });

  test("anything without an array of choices is malformed", () => {
    for (const value of [
      null,
      1,
      "x",
      [],
      {},
      { choices: null },
      { choices: {} },
      { choices: [1] },
      { choices: [null] },
    ])
      assert.equal(readPiece(value).malformed, true, JSON.stringify(value));
  });

  test("no value makes it throw", () => {
    fc.assert(fc.property(fc.anything(), (value) => void readPiece(value)));
    const delta = fc.record({ content: fc.anything(), tool_calls: fc.anything(), function_call: fc.anything() });
    fc.assert(fc.property(delta, (value) => void readPiece(chunk(value))));
  });
});
