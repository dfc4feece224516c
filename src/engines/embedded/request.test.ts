import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../base/assert.ts";
import { ApiError } from "./errors.ts";
import { parseBody, readChatRequest, readCompletionRequest } from "./request.ts";

const messages = [{ role: "user", content: "Hi" }];

const tool = (name: string) => ({ type: "function", function: { name } });
const assistant = (text: string) => ({
  role: "assistant",
  tool_calls: [{ id: "1", type: "function", function: { name: "a", arguments: text } }],
});

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

test("tools are read with the choice among them", () => {
  const read = (more: object) => readChatRequest({ messages, tools: [tool("a"), tool("b")], ...more }).toolUse;
  const { tools, callable, ...rest } = present(read({}), "there are tools");
  assert.deepEqual(rest, { choice: "auto", parallel: true });
  assert.equal(tools.length, 2);
  assert.equal(callable, tools);
  assert.equal(read({ tool_choice: "none" }), null);
  const named = read({ tool_choice: { type: "function", function: { name: "b" } } });
  assert.deepEqual([named?.choice, named?.callable.map(({ name }) => name)], ["required", ["b"]]);
});

test("calls of earlier turns have their arguments parsed, and results the id of their call", () => {
  const called = readChatRequest({
    messages: [assistant('{"x":1}'), { role: "tool", tool_call_id: "1", content: "2" }],
  });
  assert.deepEqual(called.messages, [
    {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "1", type: "function", function: { name: "a", arguments: { x: 1 } } }],
    },
    { role: "tool", content: "2", tool_call_id: "1" },
  ]);
});

test("what is not supported is refused by name", () => {
  const refused: readonly (readonly [string, object])[] = [
    ["tools[0].type", { tools: [{ type: "web_search" }] }],
    ["functions", { functions: [{}] }],
    ["n", { n: 2 }],
    ["response_format", { response_format: { type: "xml" } }],
    ["logit_bias", { logit_bias: { 5: 1 } }],
    ["modalities", { modalities: ["text", "audio"] }],
    ["messages[0].content[0]", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }],
    ["messages[0].role", { messages: [{ role: "function", content: "x" }] }],
  ];
  for (const [param, body] of refused) {
    assert.deepEqual(
      refusal(() => readChatRequest({ messages, ...body })),
      { code: "unsupported_parameter", param },
    );
  }
  for (const field of [{ echo: true }, { suffix: "x" }, { best_of: 2 }, { tools: [{}] }]) {
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
    ["messages[0].tool_call_id", { messages: [{ role: "tool", content: "x" }] }],
    ["messages[0].tool_call_id", { messages: [{ role: "tool", content: "x", tool_call_id: "none" }] }],
    ["messages[0].tool_calls", { messages: [{ role: "user", content: "x", tool_calls: [{}] }] }],
    ["messages[0].tool_calls[0].function.arguments", { messages: [assistant("[1]")] }],
    ["messages[0].tool_calls[0].function.arguments", { messages: [assistant("{")] }],
    ["tools", { tools: [tool("a"), tool("a")] }],
    ["tools[0].function.name", { tools: [tool("a b")] }],
    ["tool_choice", { tools: [tool("a")], tool_choice: "b" }],
    ["tool_choice", { tools: [tool("a")], tool_choice: { type: "function", function: { name: "b" } } }],
    ["tool_choice", { tool_choice: "required" }],
    ["logprobs", { logprobs: 2 }],
    ["top_logprobs", { top_logprobs: 2 }],
    ["top_logprobs", { logprobs: true, top_logprobs: 21 }],
    ["grammar", { grammar: 3 }],
    ["grammar", { grammar: "root ::= x", response_format: { type: "json_object" } }],
    ["response_format.json_schema.name", { response_format: { type: "json_schema", json_schema: { schema: {} } } }],
    ["response_format.json_schema.schema", { response_format: { type: "json_schema", json_schema: { name: "a" } } }],
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
