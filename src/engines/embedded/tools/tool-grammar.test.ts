import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { present } from "../../../base/assert.ts";
import { readToolUse, type ToolUse } from "../request-tools.ts";
import { ToolReader } from "./answer-reader.ts";
import { type ToolFormat, toolFormatOf } from "./format.ts";
import { toolGrammar } from "./tool-grammar.ts";

let llama: Llama;
before(async () => {
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.disabled });
});
after(() => llama.dispose());

const parameters = {
  type: "object",
  properties: { of: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["of"],
  additionalProperties: false,
};
const add = { type: "function", function: { name: "add", strict: true, parameters } };

function use(more: object): ToolUse {
  return present(readToolUse({ tools: [add], ...more }), "there are tools");
}

function formatOf(tag: string): ToolFormat {
  const format = present(toolFormatOf(`{{ tools }}${tag}`), "the template knows tools");
  assert.ok(!("unknown" in format));
  return format;
}

/** Whether llama.cpp, given the grammar, would let a model write exactly this. */
async function acceptor(asked: ToolUse, format: ToolFormat, content: object | null = null) {
  const text = toolGrammar(asked, format, content === null ? null : { schema: content });
  const grammar = await llama.createGrammar({ grammar: text });
  const { _testText: accepts } = grammar as unknown as { _testText(text: string): boolean };
  return (answer: string): boolean => accepts.call(grammar, answer);
}

const FORMATS = [
  { tag: "<tool_call>", call: (args: string) => `<tool_call>\n{"name": "add", "arguments": ${args}}\n</tool_call>` },
  { tag: "[TOOL_CALLS]", call: (args: string) => `[TOOL_CALLS][{"name": "add", "arguments": ${args}}]` },
  { tag: "<|python_tag|>", call: (args: string) => `{"name": "add", "parameters": ${args}}` },
  { tag: "", call: (args: string) => `{"name": "add", "arguments": ${args}}` },
];

for (const { tag, call } of FORMATS) {
  const format = formatOf(tag);
  test(`${format.name}: a forced answer is a call that the reader reads, and nothing else`, async () => {
    const accepts = await acceptor(use({ tool_choice: "required" }), format);
    const answer = call('{"of":7}');
    assert.ok(accepts(answer));
    const reader = new ToolReader(format, { names: ["add"], parallel: true });
    reader.push(answer);
    assert.equal(reader.calls, 1);
    for (const wrong of ["", "words", call('{"of":10}'), call("{}"), `words ${answer}`])
      assert.ok(!accepts(wrong), wrong);
  });

  test(`${format.name}: a free answer is words, or a call by its schema`, async () => {
    const accepts = await acceptor(use({}), format);
    for (const answer of ["", "words", "Two lines.\nAnd < [ more", " so it is", call('{"of":7}')])
      assert.ok(accepts(answer), answer);
    assert.ok(!accepts(call('{"of":10}')));
    if (format.open === null) return;
    fc.assert(
      // Scraps of the marker in any order: the marker itself must never be among free words.
      fc.property(fc.array(fc.constantFrom(...format.open, format.open.slice(0, -1)), { maxLength: 24 }), (scraps) => {
        const words = `so ${scraps.join("")}`;
        assert.equal(accepts(words), !words.includes(format.open ?? ""), words);
      }),
      { numRuns: 300 },
    );
  });
}

test("several calls only where they may be several, and JSON instead of words where it is asked for", async () => {
  const { tag, call } = present(FORMATS[0], "Hermes is the first");
  const two = `${call('{"of":1}')}\n${call('{"of":2}')}`;
  const several = await acceptor(use({ tool_choice: "required" }), formatOf(tag));
  const single = await acceptor(use({ tool_choice: "required", parallel_tool_calls: false }), formatOf(tag));
  assert.deepEqual([several(two), single(two)], [true, false]);
  const json = await acceptor(use({}), formatOf(tag), { type: "integer" });
  assert.deepEqual([json("12"), json("words"), json(call('{"of":1}'))], [true, false, true]);
});
