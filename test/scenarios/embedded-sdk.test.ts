import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { descendants } from "./lib/tiny.ts";

// By estimate each model takes 14 MB, so that only one of them fits at a time.
const server = await Baseload.start({
  config: `
version: 1
server: { memoryLimitBytes: 20000000 }
backends:
  first: { engine: embedded, name: one }
  second: { engine: embedded, name: two }
`,
});
after(() => server[Symbol.asyncDispose]());

const client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user" as const, content: "How warm is it in Rome?" }];
const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 8 }, unit: { enum: ["C", "F"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};
const tools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];

/** Asks a model for four tokens; says how many came, and which backend the receipt names. */
async function ask(model: string, seed: number) {
  const { data, response } = await client.chat.completions
    .create({ model, messages, max_tokens: 4, seed, grammar: 'root ::= "aaaaaaaa"' } as never)
    .withResponse();
  const receipt = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "");
  const { usage } = data as OpenAI.ChatCompletion;
  return { completionTokens: usage?.completion_tokens, backend: receipt.backendId };
}

const engines = (): number =>
  descendants(server.pid).filter(({ command }) => command.includes("embedded/child")).length;

describe("two embedded models in memory for one", () => {
  it("both answer, one after the other, and only one is in memory", async () => {
    for (const model of ["one", "two", "one"]) {
      assert.equal((await ask(model, 1)).completionTokens, 4);
      assert.ok(engines() <= 1, `${engines()} engines run`);
    }
  });

  it("requests for both at once are all answered", async () => {
    const asked = Array.from({ length: 6 }, (_, index) => ask(index % 2 === 0 ? "one" : "two", index));
    const answers = await Promise.all(asked);
    assert.deepEqual(
      answers.map(({ backend }) => backend),
      ["first", "second", "first", "second", "first", "second"],
    );
  });

  it("what their files say is listed", async () => {
    const { data } = await client.models.list();
    const [meta] = data.map((model) => (model as unknown as { meta?: { architecture: string; layers: number } }).meta);
    assert.deepEqual([meta?.architecture, meta?.layers], ["llama", 3]);
  });
});

describe("the OpenAI SDK with an embedded model", () => {
  it("puts a streamed tool call together", async () => {
    const choice = { tool_choice: "required" as const, parallel_tool_calls: false };
    const stream = client.chat.completions.stream({
      model: "one",
      messages,
      tools,
      ...choice,
      max_tokens: 400,
      seed: 1,
    });
    const { choices } = await stream.finalChatCompletion();
    const [call] = choices[0]?.message.tool_calls ?? [];
    assert.ok(call?.type === "function");
    assert.equal(choices[0]?.finish_reason, "tool_calls");
    assert.deepEqual(Object.keys(JSON.parse(call.function.arguments) as object).toSorted(), ["city", "unit"]);
  });

  it("reads JSON by a schema, and probabilities", async () => {
    const answer = await client.chat.completions.create({
      model: "one",
      messages,
      max_tokens: 300,
      logprobs: true,
      top_logprobs: 2,
      response_format: { type: "json_schema", json_schema: { name: "weather", strict: true, schema: parameters } },
    });
    const [choice] = answer.choices;
    assert.equal(choice?.finish_reason, "stop");
    assert.ok(["C", "F"].includes((JSON.parse(choice.message.content ?? "") as { unit: string }).unit));
    const tokens = choice.logprobs?.content ?? [];
    assert.equal(tokens.map(({ token }) => token).join(""), choice.message.content);
    assert.ok(tokens.every(({ top_logprobs: top }) => top.length === 2));
  });

  it("gets vectors, and its own errors for what cannot be done", async () => {
    const { data, usage } = await client.embeddings.create({ model: "two", input: ["The price", "The wind"] });
    assert.equal(data.length, 2);
    assert.ok(Math.abs(Math.hypot(...(data[0]?.embedding ?? [])) - 1) < 1e-3);
    assert.ok(usage.prompt_tokens > 0);
    const schema = { type: "array", uniqueItems: true };
    const format = { type: "json_schema" as const, json_schema: { name: "set", schema } };
    await assert.rejects(
      client.chat.completions.create({ model: "one", messages, response_format: format }),
      (error) => error instanceof OpenAI.BadRequestError && error.message.includes("uniqueItems"),
    );
    await assert.rejects(
      client.chat.completions.create({ model: "one", messages: [{ role: "user", content: "the ".repeat(9000) }] }),
      (error) => error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded",
    );
  });
});

it("a model that never fits is refused at the start, with both figures", async () => {
  const config = "version: 1\nserver: { memoryLimitBytes: 1000 }\nbackends: { main: { engine: embedded } }\n";
  await assert.rejects(
    Baseload.start({ config }),
    /takes about \d+ bytes by estimate, more than server\.memoryLimitBytes, 1000/,
  );
});
