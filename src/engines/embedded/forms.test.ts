import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EmbeddedEngine } from "./supervisor.ts";
import { ask, askStream } from "./test-client.ts";
import { type TinyModelChanges, writeTinyModel } from "./tiny-model.ts";

const CHAT = "/v1/chat/completions";
const COMPLETION = "/v1/completions";
const messages = [{ role: "user", content: "What is the price of energy?" }];

const dir = mkdtempSync(join(tmpdir(), "forms-"));
after(() => rmSync(dir, { recursive: true }));

/** An engine over the tiny model, perhaps with another chat template; started before this suite's tests. */
function engineWith(name: string, changes: TinyModelChanges = {}): EmbeddedEngine {
  const modelPath = join(dir, `${name}.gguf`);
  writeTinyModel(modelPath, changes);
  const engine = new EmbeddedEngine({
    modelPath,
    sequences: 2,
    contextTokens: 2048,
    threads: 1,
    socketDir: join(dir, "run"),
  });
  before(() => engine.start());
  after(() => engine.close());
  return engine;
}

const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 8 } },
  required: ["city"],
  additionalProperties: false,
};
const weather = { type: "function", function: { name: "get_weather", parameters } };
const clock = { type: "function", function: { name: "get_time" } };
const tools = [weather, clock];

/** A grammar of exactly one text. */
const exactly = (text: string): string => `root ::= ${JSON.stringify(text)}`;

describe("the tiny model's own template", () => {
  const engine = engineWith("tiny");
  const chat = async (more: object) => {
    const { status, body } = await ask(engine.socketPath, CHAT, { messages, seed: 1, max_tokens: 400, ...more });
    return { status, error: body.error, usage: body.usage, choice: body.choices?.[0] };
  };

  test("a grammar is followed to its end, and what is no grammar is refused", async () => {
    const { choice } = await chat({ grammar: 'root ::= "yes" | "no, " [a-z]{3}' });
    assert.match(choice?.message?.content ?? "", /^(?:yes|no, [a-z]{3})$/);
    assert.equal(choice?.finish_reason, "stop");
    const { status, error } = await chat({ grammar: "root ::= (" });
    assert.deepEqual([status, error?.param], [400, "grammar"]);
    const left = await chat({ grammar: "root ::= root" });
    assert.equal(left.status, 400, "a grammar without an end");
    const deep = await chat({ grammar: `root ::= ${"(".repeat(20_000)}"a"${")".repeat(20_000)}` });
    assert.equal(deep.status, 400, "one that would exhaust the stack");
    const stuck = await chat({ grammar: 'root ::= "a" [\\x00]' });
    assert.deepEqual([stuck.status, stuck.error?.param], [400, "grammar"], "one that asks for what no token is");
    assert.equal((await chat({ max_tokens: 1 })).status, 200, "and the engine lives");
  });

  test("words and several calls in one answer are told apart, whole and streamed", async () => {
    const call = (city: string) =>
      `<tool_call>\n{"name": "get_weather", "arguments": {"city": "${city}"}}\n</tool_call>`;
    const grammar = exactly(`Let me see.\n${call("Rome")}\n${call("Oslo")}`);
    const { choice } = await chat({ tools, grammar });
    assert.equal(choice?.finish_reason, "tool_calls");
    assert.equal(choice.message?.content, "Let me see.");
    const said = choice.message.tool_calls?.map((each) => each.function.arguments);
    assert.deepEqual(said, ['{"city": "Rome"}', '{"city": "Oslo"}']);
    const alone = await chat({ tools, grammar, parallel_tool_calls: false });
    assert.equal(alone.choice?.message?.tool_calls?.length, 1);
    assert.equal(alone.choice.finish_reason, "tool_calls");
    const chunks = await askStream(engine.socketPath, CHAT, {
      messages,
      tools,
      grammar,
      max_tokens: 400,
      stream_options: { include_usage: true },
    });
    const text = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
    assert.equal(text, "Let me see.");
    assert.ok((chunks.at(-1)?.usage?.completion_tokens ?? 0) > 20);
  });

  test("a strict tool is called by its schema or not at all", async () => {
    const strict = [{ type: "function", function: { ...weather.function, strict: true } }];
    for (const seed of [1, 2, 3]) {
      const { status, choice, error } = await chat({ tools: strict, seed, max_tokens: 20 });
      assert.equal(status, 200, error?.message ?? "");
      assert.ok(!(choice?.message?.content ?? "").includes("<tool_call>"));
    }
    const unknown = { ...parameters, properties: { city: { type: "string", format: "city" } } };
    const refused = await chat({
      tools: [{ type: "function", function: { name: "f", strict: true, parameters: unknown } }],
    });
    assert.deepEqual([refused.status, refused.error?.param], [400, "tools"]);
    assert.match(refused.error?.message ?? "", /`format`/);
  });

  test("beside a schema for its words, an answer is one or the other", async () => {
    const response_format = {
      type: "json_schema",
      json_schema: { name: "n", schema: { type: "integer", minimum: 0, maximum: 9 } },
    };
    const { choice } = await chat({ tools, response_format });
    if (choice?.finish_reason === "tool_calls") assert.ok((choice.message?.tool_calls?.length ?? 0) > 0);
    else assert.match(choice?.message?.content ?? "", /^[0-9]$/);
  });

  test("asking for probabilities changes no text", async () => {
    const form = { response_format: { type: "json_schema", json_schema: { name: "n", schema: parameters } } };
    for (const more of [{}, { temperature: 0 }, { top_p: 0.5, top_k: 20 }, form]) {
      await chat({ max_tokens: 1 });
      const plain = await chat({ max_tokens: 60, ...more });
      await chat({ max_tokens: 1 });
      const told = await chat({ max_tokens: 60, ...more, logprobs: true, top_logprobs: 1 });
      assert.equal(told.choice?.message?.content, plain.choice?.message?.content);
    }
  });

  test("a schema that cannot be followed is refused by name", async () => {
    const schema = { type: "array", uniqueItems: true };
    const { status, error } = await chat({
      response_format: { type: "json_schema", json_schema: { name: "n", schema } },
    });
    assert.deepEqual(
      [status, error?.code, error?.param],
      [400, "unsupported_parameter", "response_format.json_schema.schema"],
    );
    assert.match(error?.message ?? "", /`uniqueItems`/);
  });

  test("tokens reported as cached were not computed, and all others were", async () => {
    const computed = async (): Promise<number> => (await ask(engine.socketPath, "/healthz")).body.computed_tokens ?? 0;
    const turns: { role: string; content: string }[] = [];
    for (const content of ["The wind in winter.", "And the river?", "And the price of light in the city?"]) {
      turns.push({ role: "user", content });
      const computedBefore = await computed();
      const { choice, usage } = await chat({ messages: turns, max_tokens: 12 });
      assert.ok(usage);
      // The token generated last is never computed, since nothing follows it.
      const expected = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens + usage.completion_tokens - 1;
      assert.equal((await computed()) - computedBefore, expected);
      turns.push({ role: "assistant", content: choice?.message?.content ?? "" });
      if (turns.length > 2) assert.ok(usage.prompt_tokens_details.cached_tokens > 20);
    }
  });

  test("a request goes to the sequence that holds most of its prompt", async () => {
    const prompts = ["The wind ".repeat(30), "Some river ".repeat(30)];
    const complete = async (prompt = "") =>
      (await ask(engine.socketPath, COMPLETION, { prompt, max_tokens: 1, seed: 1 })).body.usage;
    // Two at once, so that each sequence holds one of them.
    await Promise.all(prompts.map(complete));
    for (const prompt of [...prompts, ...prompts]) {
      const usage = await complete(prompt);
      assert.equal(usage?.prompt_tokens_details.cached_tokens, (usage?.prompt_tokens ?? 0) - 1);
    }
  });

  test("a cached prefix changes no text of one that is computed alone", async () => {
    let different = 0;
    for (let seed = 0; seed < 12; seed++) {
      const prompt = `${seed} the story of a bridge and a river in the city`;
      const complete = async () =>
        (await ask(engine.socketPath, COMPLETION, { prompt, max_tokens: 24, seed })).body.choices[0]?.text;
      if ((await complete()) !== (await complete())) different += 1;
    }
    // One token is summed in another order than many, which may turn a near tie.
    assert.ok(different <= 1, `${different} of 12 texts differ`);
  });

  test("a prompt that is too long is refused in OpenAI's words, and an answer ends with the context", async () => {
    const long = await chat({ messages: [{ role: "user", content: "the ".repeat(4000) }] });
    assert.deepEqual([long.status, long.error?.code, long.error?.param], [400, "context_length_exceeded", "messages"]);
    assert.match(
      long.error?.message ?? "",
      /^This model's maximum context length is 2048 tokens\. However, your messages resulted in \d+ tokens/,
    );
    const near = { prompt: "the ".repeat(2030), max_tokens: 4000, grammar: 'root ::= "the "+' };
    const { choices, usage } = (await ask(engine.socketPath, COMPLETION, near)).body;
    assert.equal(choices[0]?.finish_reason, "length");
    assert.ok(usage !== undefined && usage !== null && usage.total_tokens <= 2049 && usage.completion_tokens > 1);
  });

  test("embeddings are cut to the dimensions asked for, and tokens may be given for text", async () => {
    const embed = async (more: object) => ask(engine.socketPath, "/v1/embeddings", more);
    const [first] = ((await embed({ input: "The price", dimensions: 5 })).body.data ?? []) as unknown as {
      embedding: number[];
    }[];
    assert.equal(first?.embedding.length, 5);
    assert.ok(Math.abs(Math.hypot(...first.embedding) - 1) < 1e-3);
    for (const more of [{ dimensions: 4096 }, { input: [99_999] }, { input: [1.5] }, { encoding_format: "hex" }])
      assert.equal((await embed({ input: "The", ...more })).status, 400, JSON.stringify(more));
    assert.equal((await embed({ input: "the ".repeat(3000) })).body.error?.code, "context_length_exceeded");
  });
});

/** Shows tools, their earlier calls and results in few words. */
const TOLD =
  "{{ bos_token }}{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}" +
  "{% for message in messages %}{{ message.role }}: {{ message.content }}" +
  "{% if message.tool_calls %}{{ message.tool_calls | tojson }}{% endif %}{% endfor %}";

const OTHERS = {
  llama: { tag: "{# <|python_tag|> #}", answer: '{"name": "get_weather", "parameters": {"city": "Rome"}}' },
  mistral: {
    tag: "{# [TOOL_CALLS] #}",
    answer: '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Rome"}}]',
  },
  generic: { tag: "", answer: '{"name": "get_weather", "arguments": {"city": "Rome"}}' },
};

for (const [name, { tag, answer }] of Object.entries(OTHERS)) {
  describe(`a template of the ${name} kind`, () => {
    const engine = engineWith(name, { chatTemplate: TOLD + tag });
    const chat = async (more: object) =>
      (await ask(engine.socketPath, CHAT, { messages, tools, seed: 1, max_tokens: 400, ...more })).body;

    test("forced and free calls are read, and their ids are of its kind", async () => {
      const forced = (await chat({ tool_choice: "required", parallel_tool_calls: false })).choices[0];
      const free = (await chat({ grammar: exactly(answer) })).choices[0];
      for (const choice of [forced, free]) {
        assert.equal(choice?.finish_reason, "tool_calls");
        const [call] = choice.message?.tool_calls ?? [];
        assert.ok(tools.some((tool) => tool.function.name === call?.function.name));
        assert.match(call?.id ?? "", name === "mistral" ? /^[a-zA-Z0-9]{9}$/ : /^call_[a-zA-Z0-9]{24}$/);
      }
      assert.equal(free?.message?.tool_calls?.[0]?.function.arguments, '{"city": "Rome"}');
    });

    test("strict tools leave words free", async () => {
      const strict = [{ type: "function", function: { ...weather.function, strict: true } }];
      const { choices, error } = await chat({ tools: strict, max_tokens: 12 });
      assert.equal(error?.message, undefined);
      assert.ok((choices[0]?.message?.content ?? "").length > 0);
    });
  });
}

describe("a marker that is one control token of the model", () => {
  const [name, { tag, answer }] = ["mistral", OTHERS.mistral];
  const engine = engineWith(`${name}-control`, { chatTemplate: TOLD + tag, controlTokens: ["[TOOL_CALLS]"] });

  test("is seen, though control tokens are no text", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 12; seed++) {
      const body = { messages, tools, seed, max_tokens: 400, grammar: exactly(answer) };
      const { choices, usage } = (await ask(engine.socketPath, CHAT, body)).body;
      assert.equal(choices[0]?.finish_reason, "tool_calls");
      assert.equal(choices[0].message?.tool_calls?.[0]?.function.arguments, '{"city": "Rome"}');
      lengths.add(usage?.completion_tokens ?? 0);
    }
    // The model may write the marker as its one token or letter by letter; both came.
    assert.ok(lengths.size > 1, [...lengths].join());
  });
});

describe("a template that knows no tools", () => {
  const engine = engineWith("plain", {
    chatTemplate: "{% for message in messages %}{{ message.content }}{% endfor %}",
  });
  test("says so, and chats without them", async () => {
    const { status, body } = await ask(engine.socketPath, CHAT, { messages, tools });
    assert.deepEqual([status, body.error?.param, body.error?.code], [400, "tools", "unsupported_parameter"]);
    assert.match(body.error?.message ?? "", /knows no tools/);
    assert.equal(
      (await ask(engine.socketPath, CHAT, { messages, tools, tool_choice: "none", max_tokens: 2 })).status,
      200,
    );
  });
});

describe("a template whose calls are not read here", () => {
  const engine = engineWith("unknown", { chatTemplate: `${TOLD}{# <function= #}` });
  test("says so by its tag", async () => {
    const { status, body } = await ask(engine.socketPath, CHAT, { messages, tools });
    assert.equal(status, 400);
    assert.match(body.error?.message ?? "", /<function=/);
  });
});
