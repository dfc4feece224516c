import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { plain } from "../../../test/shapes/arbitraries.ts";
import type { FormRequest } from "../form/request.ts";
import { isUnreadable, type Loss } from "../form/shape.ts";
import { printChatRequest } from "../openai-chat/print-request.ts";
import { readChatRequest } from "../openai-chat/read-request.ts";
import { SHAPES } from "../shapes.ts";
import { printAnswer } from "./print-answer.ts";
import { printRequest } from "./print-request.ts";
import { readRequest } from "./read-request.ts";

const DEFAULTS = { maxTokens: 4096 };

function formOf(body: unknown, read = readRequest): FormRequest {
  const request = read(body);
  return isUnreadable(request) ? assert.fail(`${request.param} ${request.detail}`) : request;
}

const text = fc.string({ minLength: 1, maxLength: 20 });
const name = fc.stringMatching(/^[a-z]{1,8}$/);
const mark = fc.option(
  fc.constantFrom({ type: "ephemeral" }, { type: "ephemeral", ttl: "5m" }, { type: "ephemeral", ttl: "1h" }),
);
const block = (members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc.record({ ...members, cache_control: mark });
const source = fc.constantFrom(
  { type: "url", url: "https://example.org/a.png" },
  { type: "base64", media_type: "image/png", data: "AAAA" },
  { type: "file", file_id: "file_1" },
);
const said = block({ type: fc.constant("text"), text });
const image = block({ type: fc.constant("image"), source });
const paper = block({
  type: fc.constant("document"),
  title: name,
  source: fc.constantFrom(
    { type: "text", media_type: "text/plain", data: "words" },
    { type: "base64", media_type: "application/pdf", data: "AAAA" },
    { type: "url", url: "https://example.org/a.pdf" },
  ),
});
const result = block({
  type: fc.constant("tool_result"),
  tool_use_id: name,
  content: fc.array(fc.oneof(said, image), { minLength: 1, maxLength: 2 }),
  is_error: fc.constant(true),
});
const thought = fc.oneof(
  fc.record({ type: fc.constant("thinking"), thinking: text, signature: text }),
  fc.record({ type: fc.constant("redacted_thinking"), data: text }),
);
const call = block({
  type: fc.constant("tool_use"),
  id: name,
  name,
  input: fc.constantFrom({}, { a: [1] }),
});
const user = fc.tuple(fc.array(result, { maxLength: 2 }), fc.array(fc.oneof(said, image, paper), { minLength: 1 }));
const assistant = fc.array(fc.oneof(thought, said, call), { minLength: 1, maxLength: 4 });
/** Turns that alternate, as the API wants them. */
const talk = fc.array(fc.tuple(user, assistant), { minLength: 1, maxLength: 3 }).map((pairs) =>
  pairs.flatMap(([[results, words], answer]) => [
    { role: "user", content: [...results, ...words] },
    { role: "assistant", content: answer },
  ]),
);
const tool = block({
  name,
  description: text,
  input_schema: fc.constantFrom({ type: "object" }, { type: "object", properties: { a: { type: "string" } } }),
  strict: fc.constant(true),
});
const choice = fc.oneof(
  fc.record({ type: fc.constantFrom("auto", "any"), disable_parallel_tool_use: fc.boolean() }),
  fc.record({ type: fc.constant("tool"), name, disable_parallel_tool_use: fc.boolean() }),
  fc.constant({ type: "none" }),
);
const request = fc
  .record(
    {
      model: name,
      max_tokens: fc.nat(),
      messages: talk,
      system: fc.array(said, { minLength: 1, maxLength: 2 }),
      temperature: fc.constantFrom(0, 0.5, 1),
      top_p: fc.constantFrom(0.1, 1),
      top_k: fc.nat(),
      stop_sequences: fc.array(text, { minLength: 1, maxLength: 3 }),
      tools: fc.array(tool, { minLength: 1, maxLength: 2 }),
      tool_choice: choice,
      thinking: fc.constantFrom({ type: "enabled", budget_tokens: 2048 }, { type: "adaptive" }, { type: "disabled" }),
      output_config: fc.constantFrom(
        { effort: "high" },
        { format: { type: "json_schema", schema: { type: "object" } } },
        { effort: "max", format: { type: "json_schema", schema: {} } },
      ),
      metadata: fc.record({ user_id: text }),
      stream: fc.constant(true),
      container: name,
      service_tier: fc.constantFrom("auto", "standard_only"),
      cache_control: fc.constant({ type: "ephemeral" }),
    },
    { requiredKeys: ["model", "max_tokens", "messages"] },
  )
  .map(plain)
  // A choice among no tools says nothing.
  .map(({ tool_choice: chosen, ...body }) => ("tools" in body && chosen ? { ...body, tool_choice: chosen } : body));

/** A body without its nulls, which say nothing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member)]));
}

const brief = (losses: readonly Loss[]): readonly string[] =>
  losses.map(({ path, isHint }) => (isHint ? `(${path})` : path));

describe("requests in the shape of Anthropic's messages", () => {
  test("are read and printed as they were, without a loss", () => {
    fc.assert(
      fc.property(request, (body) => {
        const { body: printed, losses } = printRequest(formOf(body), DEFAULTS);
        assert.deepEqual(printed, withoutNulls(body));
        assert.deepEqual(losses, []);
      }),
    );
  });

  test("text, a text of system and a text of results are as good as blocks", () => {
    const short = formOf({ model: "m", max_tokens: 1, system: "s", messages: [{ role: "user", content: "u" }] });
    const blocks = (words: string): unknown => [{ type: "text", text: words }];
    const long = { model: "m", max_tokens: 1, system: blocks("s"), messages: [{ role: "user", content: blocks("u") }] };
    assert.deepEqual(short, formOf(long));
  });

  test("what the form has no place for keeps its path", () => {
    const extras = formOf({
      model: "m",
      max_tokens: 1,
      service_tier: "auto",
      mcp_servers: [{ url: "x" }],
      thinking: { type: "adaptive", display: "omitted" },
      metadata: { user_id: null, other: 1 },
      tools: [
        { type: "web_search_20250305", name: "web_search" },
        { name: "f", input_schema: {}, defer_loading: true },
      ],
      messages: [
        { role: "user", content: [{ type: "search_result", source: "a", title: "b", content: [] }] },
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "1", name: "f", input: {}, caller: { type: "direct" } }],
        },
      ],
    }).extras;
    assert.deepEqual([...extras.keys()].toSorted(), [
      "mcp_servers",
      "messages.0.content.0",
      "metadata.other",
      "service_tier",
      "thinking.display",
      "tools.0",
      "tools.1.defer_loading",
    ]);
  });

  test("a member that every object has by birth is a member like any other", () => {
    const odd = '{"type":"text","text":"x","__proto__":{"a":1},"constructor":2}';
    const body = `{"model":"m","__proto__":3,"messages":[{"role":"user","content":[${odd}]}]}`;
    assert.deepEqual(
      [...formOf(JSON.parse(body)).extras.keys()],
      ["messages.0.content.0.__proto__", "messages.0.content.0.constructor", "__proto__"],
    );
  });

  test("arbitrary JSON is read or refused, and what was read is printed; nothing throws", () => {
    const odd = fc.record({
      model: fc.constant("m"),
      messages: fc.oneof(fc.jsonValue(), fc.array(fc.record({ role: fc.constant("user"), content: fc.jsonValue() }))),
      system: fc.jsonValue(),
      tools: fc.jsonValue(),
      tool_choice: fc.jsonValue(),
      thinking: fc.jsonValue(),
      output_config: fc.jsonValue(),
      metadata: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), odd), (value) => {
        const read = readRequest(value);
        if (!isUnreadable(read)) printRequest(read, DEFAULTS);
      }),
    );
  });
});

describe("proofs of thought", () => {
  const thoughts = [
    { type: "thinking", thinking: "shown", signature: "s1" },
    { type: "thinking", thinking: "", signature: "s2" },
    { type: "redacted_thinking", data: "d" },
  ];

  test("come back from a client of OpenAI's responses as what they were", () => {
    const answer = SHAPES.messages.readAnswer({ type: "message", stop_reason: "end_turn", content: thoughts });
    assert.ok(answer !== null && !("kind" in answer));
    const context = { requestId: "1", model: "m", asked: {}, createdSeconds: 0, wantsUsage: true };
    const { output } = SHAPES.responses.printAnswer(answer, context) as { output: readonly object[] };
    const { body } = printRequest(formOf({ model: "m", input: output }, SHAPES.responses.readRequest), DEFAULTS);
    assert.deepEqual(body["messages"], [{ role: "assistant", content: thoughts }]);
  });

  test("of another provider come back from an Anthropic client as that provider's", () => {
    const head = { kind: "encrypted-reasoning" as const, data: "gAAA" };
    const part = { head, text: "", signature: null, citations: [], logprobs: null };
    const stop = { reason: "end" as const, stopSequence: null };
    const context = { requestId: "1", model: "m", asked: {}, createdSeconds: 0, wantsUsage: true };
    const printed = printAnswer({ id: null, model: null, parts: [part], stop, usage: null }, context);
    const { turns } = formOf({ model: "m", messages: [{ role: "assistant", content: printed["content"] }] });
    assert.deepEqual(turns[0]?.parts, [{ kind: "reasoning", text: "", signature: null, encrypted: "gAAA" }]);
  });
});

describe("a chat completion as one of Anthropic's messages", () => {
  const chat = (body: object): ReturnType<typeof printRequest> =>
    printRequest(
      formOf({ model: "m", messages: [{ role: "user", content: "Hi" }], ...body }, readChatRequest),
      DEFAULTS,
    );

  test("needs a limit: the client's, else the default, above the budget for thought", () => {
    assert.equal(chat({}).body["max_tokens"], 4096);
    assert.equal(chat({ max_completion_tokens: 5 }).body["max_tokens"], 5);
    const form = { ...formOf({ model: "m", messages: [] }), maxOutputTokens: null };
    const reasoning = { enabled: true, effort: null, budgetTokens: 1000, summary: null };
    assert.equal(printRequest({ ...form, reasoning }, DEFAULTS).body["max_tokens"], 5096);
  });

  test("has its leading instructions in `system`, and neighbours of one role in one message, results first", () => {
    const calls = ["a.b", "c"].map((id) => ({ id, type: "function", function: { name: "f", arguments: "" } }));
    const { body, losses } = chat({
      messages: [
        { role: "system", content: "one" },
        { role: "developer", content: "two" },
        { role: "user", content: "ask" },
        { role: "assistant", content: null, tool_calls: calls },
        { role: "tool", tool_call_id: "a.b", content: "A" },
        { role: "tool", tool_call_id: "c", content: "C" },
        { role: "user", content: "and?" },
        { role: "system", content: "later" },
      ],
    });
    const words = (speech: string): object => ({ type: "text", text: speech });
    const use = (id: string): object => ({ type: "tool_use", id, name: "f", input: {} });
    const done = (id: string, speech: string): object => ({
      type: "tool_result",
      tool_use_id: id,
      content: [words(speech)],
    });
    assert.deepEqual(body["system"], [words("one"), words("two")]);
    assert.deepEqual(body["messages"], [
      { role: "user", content: [words("ask")] },
      { role: "assistant", content: [use("a_b"), use("c")] },
      { role: "user", content: [done("a_b", "A"), done("c", "C"), words("and?")] },
      { role: "system", content: [words("later")] },
    ]);
    assert.deepEqual(losses, []);
  });

  test("says effort as thought and effort", () => {
    const high = chat({ reasoning_effort: "high" }).body;
    assert.deepEqual([high["thinking"], high["output_config"]], [{ type: "adaptive" }, { effort: "high" }]);
    assert.deepEqual(chat({ reasoning_effort: "none" }).body["thinking"], { type: "disabled" });
    assert.deepEqual(brief(chat({ reasoning_effort: "toString" }).losses), ["(reasoning_effort)"]);
    const minimal = chat({ reasoning_effort: "minimal" });
    assert.deepEqual(minimal.body["output_config"], { effort: "low" });
    assert.deepEqual(brief(minimal.losses), ["(reasoning_effort)"]);
  });

  test("loses by name what Anthropic has no word for, and hints are told apart", () => {
    const { losses } = chat({
      n: 2,
      seed: 1,
      temperature: 1.5,
      frequency_penalty: 0.5,
      presence_penalty: 0,
      logit_bias: { 1: 2 },
      logprobs: true,
      response_format: { type: "json_object" },
      service_tier: "constructor",
      metadata: { a: "b" },
      store: true,
      messages: [
        { role: "user", name: "ada", content: [{ type: "input_audio", input_audio: { data: "AA", format: "wav" } }] },
        { role: "assistant", content: "x", reasoning_content: "unsigned" },
      ],
    });
    assert.deepEqual(brief(losses).toSorted(), [
      "(metadata)",
      "(service_tier)",
      "(store)",
      "(turn 0 (name))",
      "(turn 1 part 0 (reasoning))",
      "frequency_penalty",
      "logit_bias",
      "logprobs",
      "n",
      "response_format",
      "seed",
      "temperature",
      "turn 0 part 0 (audio)",
    ]);
  });

  test("keeps its meaning there and back, in all that both can say", () => {
    const body = {
      model: "m",
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: '{"a":1}' } }],
        },
        { role: "tool", tool_call_id: "1", content: "r" },
      ],
      max_tokens: 9,
      temperature: 0.5,
      stop: ["x"],
      tools: [
        { type: "function", function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } },
      ],
      tool_choice: "required",
      parallel_tool_calls: false,
      user: "ada",
    };
    const there = printRequest(formOf(body, readChatRequest), DEFAULTS);
    const back = printChatRequest(formOf(there.body));
    assert.deepEqual([there.losses, back.losses], [[], []]);
    assert.deepEqual(back.body, body);
  });
});
