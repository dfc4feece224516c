import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { plain } from "../../../test/shapes/arbitraries.ts";
import { BARE } from "../../../test/shapes/conversations.ts";
import type { FormPart, FormTurn } from "../form/request.ts";
import { isUnreadable, type Loss, type PrintedRequest } from "../form/shape.ts";
import type { JsonObject } from "../json.ts";
import { printResponsesRequest } from "../responses/print-request.ts";
import { printChatRequest } from "./print-request.ts";
import { readChatRequest } from "./read-request.ts";

function through(body: unknown): { readonly body: unknown; readonly losses: readonly Loss[] } {
  const read = readChatRequest(body);
  if (isUnreadable(read)) assert.fail(`${read.param} ${read.detail}`);
  return printChatRequest(read);
}

const text = fc.string({ minLength: 1, maxLength: 20 });
const name = fc.stringMatching(/^[a-z]{1,8}$/);
const part = fc.oneof(
  fc.record({ type: fc.constant("text"), text }),
  fc.record({
    type: fc.constant("image_url"),
    image_url: fc.record({
      url: fc.constantFrom("https://example.org/a.png", "data:image/png;base64,AAAA"),
      detail: fc.constantFrom("low", "high"),
    }),
  }),
  fc.record({
    type: fc.constant("input_audio"),
    input_audio: fc.record({ data: fc.constant("AAAA"), format: fc.constant("wav") }),
  }),
  fc.record({ type: fc.constant("file"), file: fc.record({ file_id: name }) }),
);
const call = fc.record({
  id: name,
  type: fc.constant("function"),
  function: fc.record({ name, arguments: fc.constantFrom("{}", '{"a":[1]}', "not json") }),
});
const spoken = fc.oneof(text, fc.array(part, { minLength: 2, maxLength: 4 }));
const message = fc.oneof(
  fc.record({ role: fc.constantFrom("system", "developer", "user"), content: spoken }),
  fc.record({ role: fc.constant("assistant"), content: text }),
  fc.record({
    role: fc.constant("assistant"),
    content: fc.constant(null),
    tool_calls: fc.array(call, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ role: fc.constant("tool"), tool_call_id: name, content: text }),
);
const tool = fc.record({
  type: fc.constant("function"),
  function: fc.record({ name, description: text, parameters: fc.constant({ type: "object" }), strict: fc.boolean() }),
});
const request = fc.record(
  {
    model: name,
    messages: fc.array(message, { minLength: 1, maxLength: 5 }),
    max_tokens: fc.nat(),
    temperature: fc.constantFrom(0, 0.5, 1),
    top_p: fc.constantFrom(0.1, 1),
    seed: fc.nat(),
    stop: fc.array(text, { minLength: 1, maxLength: 4 }),
    logprobs: fc.constant(true),
    top_logprobs: fc.integer({ min: 1, max: 5 }),
    tools: fc.array(tool, { minLength: 1, maxLength: 2 }),
    tool_choice: fc.oneof(
      fc.constantFrom("auto", "none", "required"),
      fc.record({ type: fc.constant("function"), function: fc.record({ name }) }),
    ),
    parallel_tool_calls: fc.boolean(),
    response_format: fc.oneof(
      fc.record({ type: fc.constantFrom("text", "json_object") }),
      fc.record({
        type: fc.constant("json_schema"),
        json_schema: fc.record({ name, schema: fc.constant({ type: "object" }), strict: fc.boolean() }),
      }),
    ),
    reasoning_effort: fc.constantFrom("low", "high"),
    user: name,
    n: fc.constantFrom(2, 3),
    store: fc.boolean(),
  },
  { requiredKeys: ["model", "messages"] },
);

function ofParts(role: FormTurn["role"], parts: readonly FormPart[]): PrintedRequest {
  return printChatRequest({ ...BARE, turns: [{ role, name: null, parts }] });
}

describe("requests in the shape of chat completions", () => {
  test("what the form holds is printed as it was read, and nothing is lost", () => {
    fc.assert(
      fc.property(request.map(plain), (body) => {
        const { top_logprobs: top, ...rest } = body;
        const asked = top === undefined ? rest : { ...rest, logprobs: true, top_logprobs: top };
        assert.deepEqual(through(asked), { body: asked, losses: [] });
      }),
    );
  });

  test("a stream always asks for usage", () => {
    const { body } = through({ model: "m", messages: [{ role: "user", content: "x" }], stream: true });
    assert.deepEqual((body as { stream_options: unknown }).stream_options, { include_usage: true });
  });

  test("members and parts that the form does not know are losses with their paths; hints are told apart", () => {
    const { losses } = through({
      model: "m",
      messages: [{ role: "user", content: [{ type: "hologram" }, { type: "text", text: "x" }] }],
      guided_regex: "a+",
      top_k: 5,
      metadata: { a: "b" },
      tools: [{ type: "custom", custom: { name: "x" } }],
    });
    const [grave, hints] = [losses.filter(({ isHint }) => !isHint), losses.filter(({ isHint }) => isHint)];
    const paths = grave.map(({ path }) => path).toSorted();
    assert.deepEqual(paths, ["guided_regex", "messages.0.content.0", "tools.0", "top_k"]);
    assert.deepEqual(
      hints.map(({ path }) => path),
      ["metadata"],
    );
  });

  test("pictures that a tool gave are shown by the user, who speaks next", () => {
    const image = { kind: "image", source: { kind: "url", url: "https://example.org/a.png" }, detail: null } as const;
    const read = readChatRequest({ model: "m", messages: [{ role: "user", content: "x" }] });
    if (isUnreadable(read)) assert.fail();
    const content = [{ kind: "text", text: "done" } as const, image];
    const { body } = printChatRequest({
      ...read,
      turns: [{ role: "user", name: null, parts: [{ kind: "tool-result", callId: "1", content, isError: false }] }],
    });
    assert.deepEqual(body["messages"], [
      { role: "tool", tool_call_id: "1", content: "done" },
      { role: "user", content: [{ type: "image_url", image_url: { url: "https://example.org/a.png" } }] },
    ]);
  });

  test("a turn of thoughts alone has an empty text, and one that calls none", () => {
    const thought = { kind: "reasoning", text: "Hm", signature: null, encrypted: null } as const;
    const called = { kind: "tool-call", id: "1", name: "f", argumentsJson: "{}" } as const;
    const { body } = ofParts("assistant", [thought]);
    assert.deepEqual(body["messages"], [{ role: "assistant", content: "" }]);
    const [calling] = ofParts("assistant", [thought, called]).body["messages"] as readonly JsonObject[];
    assert.equal(calling?.["content"], null);
  });

  test("the title of a document that is text, or that the provider keeps, is a hint", () => {
    const paper = { kind: "document", name: "Report" } as const;
    const paths = (only: FormPart): unknown => ofParts("user", [only]).losses.map(({ path, isHint }) => [path, isHint]);
    const told = [["turn 0 part 0 (document) title", true]];
    assert.deepEqual(paths({ ...paper, source: { kind: "text", text: "x" } }), told);
    assert.deepEqual(paths({ ...paper, source: { kind: "file", id: "file-1" } }), told);
    assert.deepEqual(paths({ ...paper, source: { kind: "data", mediaType: "application/pdf", base64: "AA==" } }), []);
  });

  test("Anthropic's word for the most effort is OpenAI's highest, and told", () => {
    for (const print of [printChatRequest, printResponsesRequest]) {
      const reasoning = { enabled: true, effort: "max", budgetTokens: null, summary: null };
      const { body, losses } = print({ ...BARE, reasoning });
      assert.match(JSON.stringify(body), /"(?:reasoning_)?effort":"xhigh"/);
      assert.deepEqual(losses, [
        { path: "output_config.effort", why: "this API has no effort `max`; it is sent as xhigh", isHint: true },
      ]);
    }
  });

  test("probabilities of others that are asked for without those of the answer are not read", () => {
    const read = readChatRequest({ model: "m", messages: [], top_logprobs: 2 });
    assert.ok(isUnreadable(read) && read.param === "top_logprobs");
    assert.ok(!isUnreadable(readChatRequest({ model: "m", messages: [], logprobs: false, top_logprobs: 0 })));
  });

  test("a role that no API has, and a result of no call, are named", () => {
    const reads = (said: unknown): unknown => readChatRequest({ model: "m", messages: [said] });
    assert.deepEqual(reads({ role: "critic", content: "x" }), {
      kind: "unreadable",
      param: "messages.0.role",
      detail: "is none of system, developer, user, assistant and tool",
    });
    assert.equal((reads({ role: "tool", content: "x" }) as { param: string }).param, "messages.0.tool_call_id");
    assert.equal((reads({ role: "toString", content: "x" }) as { param: string }).param, "messages.0.role");
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        readChatRequest(one);
        readChatRequest({
          model: one,
          messages: [{ role: "assistant", content: [one, other], tool_calls: [other] }],
          tools: [one],
        });
        readChatRequest({
          model: "m",
          messages: [{ role: "user", content: other }],
          response_format: one,
          stop: other,
        });
      }),
    );
  });
});
