import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "./errors.ts";
import { parseBody, readChatRequest, readCompletionRequest } from "./request.ts";

const messages = [{ role: "user", content: "Hi" }];

/** The error that reading `body` gives, as code and param. */
function refusal(read: () => unknown): { code: string | null; param: string | null } {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.status, 400);
    return { code: error.code, param: error.param };
  }
  throw new Error("nothing was refused");
}

test("fields left out have OpenAI's defaults", () => {
  const { sampling, maxTokens, stop, stream } = readChatRequest({ messages });
  assert.deepEqual(sampling, {
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    seed: null,
    frequencyPenalty: 0,
    presencePenalty: 0,
  });
  assert.deepEqual({ maxTokens, stop, stream }, { maxTokens: null, stop: [], stream: false });
  assert.equal(readCompletionRequest({ prompt: ["Hi"] }).maxTokens, 16);
});

test("fields that mean nothing here are taken as such", () => {
  const harmless = {
    tools: [],
    response_format: { type: "text" },
    logprobs: false,
    n: 1,
    logit_bias: {},
    user: "u",
    stop: null,
    temperature: null,
    modalities: ["text"],
  };
  assert.equal(readChatRequest({ messages, ...harmless }).sampling.temperature, 1);
});

test("text parts are joined, and a developer's turn is the system's", () => {
  const parts = [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ];
  const read = readChatRequest({
    messages: [
      { role: "developer", content: parts },
      { role: "assistant", content: null },
    ],
  });
  assert.deepEqual(read.messages, [
    { role: "system", content: "ab" },
    { role: "assistant", content: "" },
  ]);
});

test("what is not supported is refused by name", () => {
  const refused: readonly (readonly [string, object])[] = [
    ["tools", { tools: [{ type: "function" }] }],
    ["functions", { functions: [{}] }],
    ["n", { n: 2 }],
    ["response_format", { response_format: { type: "json_object" } }],
    ["logprobs", { logprobs: true }],
    ["logit_bias", { logit_bias: { 5: 1 } }],
    ["modalities", { modalities: ["text", "audio"] }],
    ["messages[0].content[0]", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }],
    ["messages[0]", { messages: [{ role: "tool", content: "x" }] }],
  ];
  for (const [param, body] of refused) {
    assert.deepEqual(
      refusal(() => readChatRequest({ messages, ...body })),
      { code: "unsupported_parameter", param },
    );
  }
  for (const field of [{ echo: true }, { suffix: "x" }, { logprobs: 0 }, { best_of: 2 }]) {
    assert.equal(refusal(() => readCompletionRequest({ prompt: "x", ...field })).code, "unsupported_parameter");
  }
});

test("wrong values are refused by name", () => {
  const wrong: readonly (readonly [string, object])[] = [
    ["temperature", { temperature: 3 }],
    ["top_p", { top_p: "1" }],
    ["seed", { seed: 1.5 }],
    ["max_tokens", { max_tokens: 0 }],
    ["stop", { stop: ["a", "b", "c", "d", "e"] }],
    ["stop", { stop: "" }],
    ["stream", { stream: "yes" }],
    ["messages", { messages: [] }],
    ["messages[0].role", { messages: [{ role: "king", content: "x" }] }],
    ["messages[0].content", { messages: [{ role: "user" }] }],
  ];
  for (const [param, body] of wrong) {
    assert.deepEqual(
      refusal(() => readChatRequest({ messages, ...body })),
      { code: "invalid_value", param },
    );
  }
  assert.deepEqual(
    refusal(() => readCompletionRequest({ prompt: ["a", "b"] })),
    { code: "invalid_value", param: "prompt" },
  );
  for (const text of ["{", "[]", "null", ""]) assert.equal(refusal(() => parseBody(text)).code, "invalid_json");
});
