import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { plain } from "../../../test/shapes/arbitraries.ts";
import { isUnreadable, type Loss } from "../form/shape.ts";
import { OPENAI_CHAT } from "../openai-chat/shape.ts";
import { printResponsesRequest } from "./print-request.ts";
import { readResponsesRequest } from "./read-request.ts";

function read(body: unknown) {
  const form = readResponsesRequest(body);
  return isUnreadable(form) ? assert.fail(`${form.param} ${form.detail}`) : form;
}

const text = fc.string({ minLength: 1, maxLength: 20 });
const name = fc.stringMatching(/^[a-z]{1,8}$/);
const content = fc.oneof(
  fc.record({ type: fc.constant("input_text"), text }),
  fc.record({
    type: fc.constant("input_image"),
    image_url: fc.constantFrom("https://example.org/a.png", "data:image/png;base64,AAAA"),
    detail: fc.constantFrom("low", "auto"),
  }),
  fc.record({ type: fc.constant("input_file"), file_id: name }),
);
const message = fc.record({
  type: fc.constant("message"),
  role: fc.constantFrom("system", "developer", "user"),
  content: fc.array(content, { minLength: 1, maxLength: 3 }),
});
const call = fc.record({
  type: fc.constant("function_call"),
  call_id: name,
  name,
  arguments: fc.constantFrom("{}", '{"a":[1]}', "not json"),
});
const output = fc.record({ type: fc.constant("function_call_output"), call_id: name, output: text });
const thought = fc.record({
  type: fc.constant("reasoning"),
  summary: fc.constant([]),
  content: text.map((words) => [{ type: "reasoning_text", text: words }]),
  encrypted_content: name,
});
const request = fc.record(
  {
    model: name,
    input: fc.array(fc.oneof(message, call, output, thought), { minLength: 1, maxLength: 6 }),
    store: fc.constant(false),
    max_output_tokens: fc.nat(),
    temperature: fc.constantFrom(0, 0.5),
    top_p: fc.constantFrom(0.1, 1),
    top_logprobs: fc.integer({ min: 1, max: 5 }),
    tools: fc.array(
      fc.record({
        type: fc.constant("function"),
        name,
        description: text,
        parameters: fc.constant({ type: "object" }),
        strict: fc.boolean(),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    tool_choice: fc.oneof(
      fc.constantFrom("auto", "none", "required"),
      fc.record({ type: fc.constant("function"), name }),
    ),
    parallel_tool_calls: fc.boolean(),
    text: fc.record({
      format: fc.oneof(
        fc.record({ type: fc.constantFrom("text", "json_object") }),
        fc.record({
          type: fc.constant("json_schema"),
          name,
          schema: fc.constant({ type: "object" }),
          strict: fc.boolean(),
        }),
      ),
      verbosity: fc.constantFrom("low", "high"),
    }),
    reasoning: fc.record({ effort: fc.constantFrom("low", "high"), summary: fc.constant("auto") }),
    user: name,
    metadata: fc.record({ a: name }),
    include: fc.constant(["reasoning.encrypted_content"]),
  },
  { requiredKeys: ["model", "input", "store"] },
);

describe("requests in the shape of responses", () => {
  test("what the form holds is printed as it was read, and nothing is lost", () => {
    fc.assert(
      fc.property(request.map(plain), (body) => {
        assert.deepEqual(printResponsesRequest(read(body)), { body, losses: [] });
      }),
    );
  });

  test("what the assistant did in one go is one turn, so that a chat's message has its words and its calls", () => {
    const form = read({
      model: "m",
      instructions: "Be brief.",
      input: [
        { role: "user", content: "Weather?" },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Looking.", annotations: [] }] },
        { type: "function_call", call_id: "1", name: "weather", arguments: "{}" },
        { type: "function_call_output", call_id: "1", output: "rain" },
      ],
    });
    const { body, losses } = OPENAI_CHAT.printRequest(form);
    assert.deepEqual(losses, []);
    assert.deepEqual(body["messages"], [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "Weather?" },
      {
        role: "assistant",
        content: "Looking.",
        tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "1", content: "rain" },
    ]);
  });

  test("the provider's own tools, stored prompts and work in the background are losses; the defaults are none", () => {
    const paths = (more: object): readonly string[] => {
      const { losses } = OPENAI_CHAT.printRequest(read({ model: "m", input: "x", ...more }));
      return losses.filter(({ isHint }: Loss) => !isHint).map(({ path }) => path);
    };
    const defaults = { background: false, truncation: "disabled", store: true, tool_choice: null };
    assert.deepEqual(paths(defaults), []);
    assert.deepEqual(paths({ tools: [{ type: "web_search" }] }), ["tools.0"]);
    assert.deepEqual(paths({ background: true, prompt: { id: "p" } }), ["background", "prompt"]);
    assert.deepEqual(paths({ input: [{ type: "item_reference", id: "x" }] }), ["input.0"]);
  });

  test("a response that is not stored here cannot be gone on with", () => {
    const form = readResponsesRequest({ model: "m", input: "x", previous_response_id: "resp_1" });
    assert.ok(isUnreadable(form) && form.param === "previous_response_id");
  });

  test("arbitrary JSON is read or refused, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        readResponsesRequest(one);
        readResponsesRequest({
          model: one,
          input: [other, { type: "reasoning", summary: one }],
          tools: [one],
          text: other,
        });
        readResponsesRequest({
          model: "m",
          input: [{ role: "user", content: [one] }],
          reasoning: one,
          tool_choice: other,
        });
      }),
    );
  });
});
