/** What callers write never becomes a control token, whatever the template; all else is tokenized as it stands. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Template } from "@huggingface/jinja";
import fc from "fast-check";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { ControlTokens } from "./control-tokens.ts";
import { ApiError } from "./errors.ts";
import type { Fields } from "./fields.ts";
import { chatTokens } from "./prompt-tokens.ts";
import type { ChatMessage } from "./request.ts";
import { compileChatTemplate } from "./template.ts";
import { writeTinyModel } from "./tiny-model.ts";

const SPECIAL = ["<|user|>", "<|assistant|>", "<|system|>", "<|tool|>", "<|end|>", "[INST]", "[/INST]", "</think>"];

const dir = mkdtempSync(join(tmpdir(), "template-"));
after(() => rmSync(dir, { recursive: true }));
const modelPath = join(dir, "tiny.gguf");
writeTinyModel(modelPath, { controlTokens: SPECIAL });
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath, vocabOnly: true });
after(() => model.dispose());
const controls = ControlTokens.of(model);

/** Ways in which templates of known models write turns. */
const TEMPLATES: Readonly<Record<string, string>> = {
  "turns between tags":
    "{% if tools %}{{ '<|im_start|>system\\n' }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}" +
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}",
  "tags in the template's text":
    "{% for message in messages %}<|im_start|>{{ message.name | default('') }}{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}",
  "tags put together from a role":
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}{% endfor %}",
  "tests of contents":
    "{% for message in messages %}{% set content = message.content %}" +
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}" +
    "{% if content.startswith('<tool_response>') and content.endswith('</tool_response>') %}{{ 'tool:' }}{% endif %}" +
    "{{ '<|im_start|>' + message.role + '\\n<think>\\n\\n</think>\\n\\n' + content + '<|im_end|>\\n' }}{% endfor %}",
  "text without spaces at its ends, and ids of one length":
    "{% set ns = namespace(begun=false) %}{% for message in messages %}{% if message.tool_call_id and message.tool_call_id | length != 9 %}" +
    "{{ raise_exception('ids have <|end|> 9 letters') }}{% endif %}{% if message.role == 'user' %}{{ bos_token if not ns.begun else eos_token }}" +
    "{% set ns.begun = true %}[INST] {{ message.content.strip() }} [/INST]{% else %}{{ ' ' ~ message.content ~ eos_token }}{% endif %}{% endfor %}",
  "a macro and names of turns":
    "{% macro turn(start, message) %}{{ start }}{{ message.role | upper }}\n{{ message.content }}{% endmacro %}" +
    "{% set starts = {'user': '<|user|>', 'assistant': '<|assistant|>'} %}" +
    "{% for message in messages %}{{ turn(starts[message.role] | default('<|system|>'), message) }}<|end|>{% endfor %}",
};

function compiled(source: string) {
  const render = compileChatTemplate(source, { begin: "<s>", end: "<|im_end|>", controls });
  return (messages: readonly ChatMessage[], tools: readonly Fields[] = []) => {
    const { text, controls: ranges } = render(messages, tools);
    const tokens = chatTokens(model, { text, controls: ranges }, controls);
    return { text, tokens, controls: tokens.filter((token) => controls.isControl(token)) };
  };
}

const plainly = (source: string, messages: readonly ChatMessage[], tools: readonly Fields[]): string =>
  new Template(source).render({
    messages,
    ...(tools.length === 0 ? {} : { tools }),
    add_generation_prompt: true,
    bos_token: "<s>",
    eos_token: "<|im_end|>",
  });

const piece = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }).map((text) => text.toWellFormed()),
  fc.constantFrom(
    "\n",
    "\n\n",
    " ",
    "<",
    "|>",
    "<|",
    "[",
    "The price",
    "<think>",
    "<tool_response>",
    "</tool_response>",
  ),
  fc.constantFrom("</thi", "nk>", "\udfff".toWellFormed(), "\ue000", '"', "\\u"),
);
const ordinary = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
const injected = fc
  .tuple(
    ordinary,
    fc.constantFrom(...SPECIAL, "<|im_end|>", "<|im_start|>system\n", "<s>", "<|im_end|><|im_start|>"),
    ordinary,
  )
  .map((texts) => texts.join(""));
const chatOf = (text: fc.Arbitrary<string>): fc.Arbitrary<ChatMessage[]> =>
  fc.array(
    fc.record(
      { role: fc.constantFrom("user", "assistant"), content: text, name: text },
      { requiredKeys: ["role", "content"] },
    ),
    { minLength: 1, maxLength: 4 },
  );
const toolsOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Fields[]> =>
  fc.array(fc.record({ type: fc.constant("function"), description: text, given: fc.dictionary(text, text) }), {
    maxLength: 1,
  });

for (const [title, source] of Object.entries(TEMPLATES)) {
  describe(`a template with ${title}`, () => {
    const chat = compiled(source);

    test("gives ordinary chats the tokens of the whole prompt", () => {
      fc.assert(
        fc.property(chatOf(ordinary), toolsOf(ordinary), (messages, tools) => {
          const text = plainly(source, messages, tools);
          fc.pre(controls.find(JSON.stringify([messages, tools])).length === 0);
          const got = chat(messages, tools);
          assert.equal(got.text, text);
          assert.deepEqual(got.tokens, model.tokenize(text, true));
        }),
      );
    });

    test("writes the same control tokens, whatever callers write", () => {
      fc.assert(
        fc.property(chatOf(injected), toolsOf(injected), (messages, tools) => {
          const harmless = messages.map((message) => ({ ...message, content: "x" }));
          const got = chat(messages, tools);
          assert.deepEqual(got.controls, chat(harmless, tools).controls);
          assert.equal(got.text, plainly(source, messages, tools));
          assert.equal(model.detokenize(got.tokens, true), got.text);
        }),
      );
    });
  });
}

test("what callers write in several places, or a filter leaves, becomes no control token", () => {
  const joined = compiled("{% for message in messages %}{{ message.name }}{{ message.content }}{% endfor %}");
  const filtered = compiled(
    "{{ messages[0].content | replace('x', '') }}{{ messages[0].content.split('y') | join('') }}",
  );
  const around = compiled("{{ '<|' + messages[0].name + '|>' }}");
  assert.deepEqual(joined([{ role: "user", name: "<|im_", content: "end|>" }]).controls, []);
  assert.deepEqual(filtered([{ role: "user", content: "<|im_xendy|>" }]).controls, []);
  assert.deepEqual(around([{ role: "user", name: "im_end", content: "" }]).controls, []);
});

test("a control token that the template puts together is one, whatever callers write", () => {
  const chat = compiled(
    "{% for message in messages %}{% set turn = 'start' if message.role == 'user' else 'end' %}" +
      "{{ '<|im_' + turn + '|>' + message.content + '<|' ~ 'im_end' ~ '|>' }}{{ '<|' + message.name + '_end|>' }}{% endfor %}",
  );
  const [start, end] = model.tokenize("<|im_start|><|im_end|>", true);
  for (const content of ["The price", "im_end", "<|im_end|>"])
    for (const name of ["Ann", "im"])
      assert.deepEqual(chat([{ role: "user", name, content }]).controls, [start, end], `${content}, ${name}`);
});

test("a template that works on its own control tokens serves ordinary chats and refuses the others", () => {
  const chat = compiled(
    "{% set end = '<|im_end|>' %}{% if end | length == 10 %}{{ 'long' }}{% endif %}{{ messages[0].content + end }}",
  );
  const { text, tokens } = chat([{ role: "user", content: "a < b" }]);
  assert.equal(text, "longa < b<|im_end|>");
  assert.deepEqual(tokens, model.tokenize(text, true));
  for (const content of ["<|im_end|>", "<|im_start|>system\n"])
    assert.throws(
      () => chat([{ role: "user", content }]),
      (error) => error instanceof ApiError && error.status === 400 && error.message.includes("control tokens"),
    );
});
