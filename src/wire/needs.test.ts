import assert from "node:assert/strict";
import { test } from "node:test";
import { needsOf } from "./needs.ts";

const NONE = { tools: false, jsonSchema: false, images: false, audio: false };
const withParts = (...types: readonly unknown[]): object => ({
  messages: [{ role: "user", content: types.map((type) => ({ type })) }],
});

test("plain text asks for nothing else, and neither do members that are there and empty", () => {
  assert.deepEqual(needsOf({ messages: [{ role: "user", content: "Hi" }], tools: [], functions: null }), NONE);
  assert.deepEqual(needsOf({ prompt: "Hi", response_format: { type: "json_object" } }), NONE);
  assert.deepEqual(needsOf(withParts("text")), NONE);
});

test("each need is seen where OpenAI's API has it", () => {
  assert.deepEqual(needsOf({ tools: [{}] }), { ...NONE, tools: true });
  assert.deepEqual(needsOf({ functions: [{}] }), { ...NONE, tools: true });
  assert.deepEqual(needsOf({ response_format: { type: "json_schema" } }), { ...NONE, jsonSchema: true });
  assert.deepEqual(needsOf(withParts("text", "image_url")), { ...NONE, images: true });
  assert.deepEqual(needsOf(withParts("input_audio")), { ...NONE, audio: true });
});

test("a response's input and format ask for the same", () => {
  const input = [{ type: "message", role: "user", content: [{ type: "input_text" }, { type: "input_image" }] }];
  assert.deepEqual(needsOf({ input }), { ...NONE, images: true });
  assert.deepEqual(needsOf({ input: "Hi", text: { format: { type: "json_schema" } } }), { ...NONE, jsonSchema: true });
  assert.deepEqual(needsOf({ input: ["a text", 3] }), NONE, "texts to be embedded");
});

test("what has another shape is not guessed at", () => {
  for (const value of [null, 3, [], { messages: "x" }, { messages: [null, { content: [null, 1] }] }, { tools: {} }])
    assert.deepEqual(needsOf(value), NONE);
});
