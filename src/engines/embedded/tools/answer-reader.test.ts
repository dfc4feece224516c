import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { present } from "../../../base/assert.ts";
import { type AnswerEvent, ToolReader } from "./answer-reader.ts";
import { type ToolFormat, toolFormatOf } from "./format.ts";

/** The format that a template with `tag` teaches. */
function formatOf(tag: string): ToolFormat {
  const format = present(toolFormatOf(`{% for tool in tools %}${tag}{% endfor %}`), "the template knows tools");
  assert.ok(!("unknown" in format));
  return format;
}

const hermes = formatOf("<tool_call>");
const llama = formatOf("<|python_tag|>");
const mistral = formatOf("[TOOL_CALLS]");
const generic = formatOf("");

/** What an answer in pieces was read as: its words, and its calls as name and arguments. */
function read(format: ToolFormat, pieces: readonly string[], parallel = true) {
  const reader = new ToolReader(format, { names: ["get_weather", "add"], parallel });
  const events: AnswerEvent[] = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  const calls: [string, string][] = [];
  let words = "";
  for (const event of events) {
    if (event.kind === "content") words += event.text;
    else if (event.kind === "call") calls.push([event.name, ""]);
    else present(calls[event.index], "arguments follow their call")[1] += event.text;
  }
  return { words, calls, isComplete: reader.isComplete };
}

const rome = '{"city": "Rome {\\"}"}';
const sum = '{"of":[1,{"x":2}]}';

/** Answers, and what each says. */
const ANSWERS: readonly (readonly [string, ToolFormat, string, ReturnType<typeof read>["calls"], string])[] = [
  ["words alone", hermes, "It is < warm <tool", [], "It is < warm <tool"],
  [
    "a call",
    hermes,
    `<tool_call>\n{"name": "get_weather", "arguments": ${rome}}\n</tool_call>`,
    [["get_weather", rome]],
    "",
  ],
  [
    "words, then two calls",
    hermes,
    `Let me see.\n\n<tool_call>{"name": "add", "arguments": ${sum}}</tool_call>\n<tool_call>\n{"arguments": ${rome}, "name": "get_weather"}\n</tool_call>\n`,
    [
      ["add", sum],
      ["get_weather", rome],
    ],
    "Let me see.",
  ],
  ["a call without arguments", hermes, '<tool_call>{"name": "add"}</tool_call>', [["add", "{}"]], ""],
  [
    "arguments as a text",
    hermes,
    '<tool_call>{"name": "add", "arguments": "{\\"a\\":1}"}</tool_call>',
    [["add", '{"a":1}']],
    "",
  ],
  ["null as arguments", hermes, '<tool_call>{"name": "add", "arguments": null}</tool_call>', [["add", "{}"]], ""],
  [
    "a tool that was never given",
    hermes,
    '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
    [],
    '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
  ],
  ["a call that is no JSON", hermes, "<tool_call>add(1)</tool_call>", [], "<tool_call>add(1)</tool_call>"],
  ["a call that is cut before its name", hermes, '<tool_call>{"na', [], '<tool_call>{"na'],
  ["a call that is cut in its arguments", hermes, '<tool_call>{"name":"add","arguments":{"a":', [["add", '{"a":']], ""],
  ["a bare call", llama, `{"name": "get_weather", "parameters": ${rome}}`, [["get_weather", rome]], ""],
  [
    "a tagged call",
    llama,
    `<|python_tag|>{"name": "add", "parameters": ${sum}}; {"name": "add", "parameters": {}}`,
    [
      ["add", sum],
      ["add", "{}"],
    ],
    "",
  ],
  ["JSON that is no call", llama, '{"answer": 42}', [], '{"answer": 42}'],
  ["JSON inside of words", llama, `See {"name": "add", "parameters": {}}`, [], `See {"name": "add", "parameters": {}}`],
  [
    "an array of calls",
    mistral,
    `[TOOL_CALLS] [{"name": "add", "arguments": ${sum}}, {"name": "get_weather", "arguments": ${rome}}]`,
    [
      ["add", sum],
      ["get_weather", rome],
    ],
    "",
  ],
  ["brackets in words", mistral, "[TOOL] [1]", [], "[TOOL] [1]"],
  ["a bare call of a plain template", generic, ` {"name": "add", "arguments": ${sum}}`, [["add", sum]], ""],
];

for (const [title, format, text, calls, words] of ANSWERS) {
  test(`${format.name}: ${title}, whole and in pieces of any size`, () => {
    const whole = read(format, [text]);
    assert.deepEqual([whole.calls, whole.words], [calls, words]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: text.length }), (sizes) => {
        const pieces: string[] = [];
        for (let at = 0, index = 0; at < text.length; index++) {
          const size = sizes[index % sizes.length] ?? 1;
          pieces.push(text.slice(at, at + size));
          at += size;
        }
        assert.deepEqual(read(format, pieces), whole);
      }),
      { numRuns: 30 },
    );
  });
}

test("without parallel calls the first one completes the answer", () => {
  const one = '<tool_call>{"name": "add", "arguments": {}}';
  assert.deepEqual(read(hermes, [`${one}</tool_call>${one}`], false), {
    words: "",
    calls: [["add", "{}"]],
    isComplete: true,
  });
});

test("whatever a model writes, nothing is lost or made up", () => {
  const scraps = fc.constantFrom(
    "<tool_call>",
    "</tool_call>",
    '{"name":',
    '"add"',
    ',"arguments":',
    "{}",
    "}",
    "\n",
    "x",
    "[",
    '"',
    "\\",
  );
  fc.assert(
    fc.property(fc.array(scraps, { maxLength: 20 }), (pieces) => {
      const { words, calls } = read(hermes, pieces);
      const text = pieces.join("");
      assert.ok(words.length <= text.length);
      if (calls.length === 0) assert.equal(words.replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
      for (const [name] of calls) assert.equal(name, "add");
    }),
    { numRuns: 500 },
  );
});

test("templates are known by their tags, and those of other ways are named", () => {
  assert.equal(toolFormatOf("{% for message in messages %}{{ message.content }}{% endfor %}"), null);
  assert.deepEqual(
    [hermes, llama, mistral, generic].map(({ name }) => name),
    ["hermes", "llama", "mistral", "generic"],
  );
  assert.deepEqual(toolFormatOf("{% if tools %}<tool_call><function=name>{% endif %}"), { unknown: "<function=" });
});
