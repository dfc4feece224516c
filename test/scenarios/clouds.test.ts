import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { objectOf } from "../../src/wire/json.ts";
import { bedrockEvents, converseAnswer, startFakeBedrock } from "../clouds/fake-bedrock.ts";
import { geminiEvents, startFakeGemini } from "../clouds/fake-gemini.ts";
import { FakeTokenEndpoint } from "../clouds/fake-token-endpoint.ts";
import type { FakeUpstream, SeenRequest } from "../clouds/fake-upstream.ts";
import { until } from "../until.ts";
import { assertExact, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";

const folder = new Folder();
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const endpoint = await FakeTokenEndpoint.start(publicKey);
const credentials = { accessKeyId: "AKID", secretAccessKey: "the/secret+key", sessionToken: "session" };
const studio = await startFakeGemini({ auth: { key: "studio-key" } });
const vertex = await startFakeGemini({ auth: { tokens: () => endpoint.given, project: "p-1" } });
const bedrock = await startFakeBedrock({ credentials, region: "eu-central-1" });
const account = folder.write(
  "account.json",
  JSON.stringify({
    client_email: "robot@p-1",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    token_uri: endpoint.url,
  }),
);

const NAMES = ["complete", "tools", "endless", "failsWith429Seconds", "failsWith401", "failsByErrorEvent"] as const;
const models = (short: string, upstream: (name: string) => string, more: object): string =>
  JSON.stringify({ ...Object.fromEntries(NAMES.map((name) => [`${short}-${name}`, upstream(name)])), ...more });
const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-multilingual-v3";

const server = await Baseload.start({
  env: {
    STUDIO_KEY: "studio-key",
    AWS_ID: credentials.accessKeyId,
    AWS_SECRET: credentials.secretAccessKey,
    AWS_SESSION: credentials.sessionToken,
  },
  config: `
version: 1
backends:
  studio: { engine: gemini, url: "${studio.url}", key: { env: STUDIO_KEY }, models: ${models("studio", (name) => name, { "studio-embed": "embedding-fake" })} }
  found: { engine: gemini, url: "${studio.url}", key: { env: STUDIO_KEY } }
  vertex:
    engine: vertex
    url: "${vertex.url}"
    project: p-1
    serviceAccountFile: ${JSON.stringify(account)}
    models: ${models("vertex", (name) => name, { "vertex-embed": "embedding-fake" })}
  bedrock:
    engine: bedrock
    url: "${bedrock.url}"
    region: eu-central-1
    accessKeyId: { env: AWS_ID }
    secretAccessKey: { env: AWS_SECRET }
    sessionToken: { env: AWS_SESSION }
    models: ${models("bedrock", (name) => `eu.maker.${name}-v1:0`, { titan: TITAN, cohere: COHERE })}
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await Promise.all([studio.close(), vertex.close(), bedrock.close(), endpoint.close()]);
  folder[Symbol.dispose]();
});

const client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0, timeout: 30_000 });
const PICTURE = "iVBORw0KGgo=";
const WEATHER = { type: "function", function: { name: "get_weather", parameters: { type: "object" } } } as const;
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const geminiCalls = {
  candidates: [
    {
      content: {
        role: "model",
        parts: [
          { functionCall: { id: "c1", name: "get_weather", args: { city: "Berlin" } }, thoughtSignature: "c2ln" },
          { functionCall: { id: "c2", name: "get_weather", args: { city: "Paris" } } },
        ],
      },
      finishReason: "STOP",
    },
  ],
  usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 5 },
};
for (const fake of [studio, vertex]) {
  fake.scripts.set("tools", { events: geminiEvents([geminiCalls]), whole: geminiCalls });
}
const use = (id: string, city: string) => ({ toolUse: { toolUseId: id, name: "get_weather", input: { city } } });
const callEvents = (at: number, id: string, city: string): readonly (readonly [string, unknown])[] => [
  ["contentBlockStart", { contentBlockIndex: at, start: { toolUse: { toolUseId: id, name: "get_weather" } } }],
  ["contentBlockDelta", { contentBlockIndex: at, delta: { toolUse: { input: `{"city":` } } }],
  ["contentBlockDelta", { contentBlockIndex: at, delta: { toolUse: { input: `"${city}"}` } } }],
  ["contentBlockStop", { contentBlockIndex: at }],
];
bedrock.scripts.set("tools", {
  events: bedrockEvents([
    ["messageStart", { role: "assistant" }],
    ...callEvents(0, "c1", "Berlin"),
    ...callEvents(1, "c2", "Paris"),
    ["messageStop", { stopReason: "tool_use" }],
    ["metadata", { usage: { inputTokens: 7, outputTokens: 5, totalTokens: 12 } }],
  ]),
  whole: converseAnswer([use("c1", "Berlin"), use("c2", "Paris")], { stopReason: "tool_use" }),
});

interface Cloud {
  readonly name: string;
  readonly fake: FakeUpstream;
  readonly used: { readonly output: number; readonly cached: number | null; readonly reasoning: number | null };
  /** Where the schema of an answer stands in a request, as JSON or as its text. */
  readonly schemaAt: readonly string[];
  readonly picture: unknown;
}

const google = {
  used: { output: 8, cached: null, reasoning: 3 },
  schemaAt: ["generationConfig", "responseJsonSchema"],
  picture: { inlineData: { mimeType: "image/png", data: PICTURE } },
};
const CLOUDS: readonly Cloud[] = [
  { name: "studio", fake: studio, ...google },
  { name: "vertex", fake: vertex, ...google },
  {
    name: "bedrock",
    fake: bedrock,
    used: { output: 5, cached: 2, reasoning: null },
    schemaAt: ["outputConfig", "textFormat", "structure", "jsonSchema", "schema"],
    picture: { image: { format: "png", source: { bytes: PICTURE } } },
  },
];

function lastOf({ requests }: FakeUpstream): SeenRequest {
  return requests.at(-1) ?? assert.fail("the upstream got no request");
}

for (const cloud of CLOUDS) {
  describe(`the OpenAI SDK over ${cloud.name}`, () => {
    answers(cloud);
    inputs(cloud);
    failures(cloud);
  });
}

function asking(name: string) {
  return (model: string, more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
    client.chat.completions.create({
      model: `${name}-${model}`,
      messages: [{ role: "user", content: "Hi" }],
      ...more,
      stream: false,
    });
}

function answers({ name, fake, used }: Cloud): void {
  const ask = asking(name);
  it("gets a whole answer, and its usage is on the receipt", async () => {
    const { data, response } = await ask("complete", { max_completion_tokens: 50, temperature: 0 }).withResponse();
    assert.equal(data.choices[0]?.message.content, "Hello, world!");
    assert.equal(data.choices[0]?.finish_reason, "stop");
    const receipt = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "");
    assertExact(receipt.tokens.input, 7, "provider_reported");
    assertExact(receipt.tokens.output, used.output, "provider_reported");
    assert.equal(receipt.tokens.cachedInput.value, used.cached);
    assert.equal(receipt.tokens.reasoning.value, used.reasoning);
  });

  it("gets a stream, and usage in it where it asks", async () => {
    const stream = await client.chat.completions.create({
      model: `${name}-complete`,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
      ],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "Hello, world!");
    assert.deepEqual(chunks.at(-1)?.usage?.completion_tokens, used.output);
  });

  it("calls tools, whole and streamed, and goes on with what they gave", async () => {
    const { choices } = await ask("tools", { tools: [WEATHER], tool_choice: "required" });
    const message = choices[0]?.message ?? assert.fail("no message");
    assert.equal(choices[0]?.finish_reason, "tool_calls");
    const streamed = await client.chat.completions
      .stream({ model: `${name}-tools`, messages: [{ role: "user", content: "Weather?" }], tools: [WEATHER] })
      .finalMessage();
    for (const calls of [message.tool_calls, streamed.tool_calls]) {
      assert.deepEqual(
        calls?.map(
          (call) => call.type === "function" && [call.id, call.function.name, JSON.parse(call.function.arguments)],
        ),
        [
          ["c1", "get_weather", { city: "Berlin" }],
          ["c2", "get_weather", { city: "Paris" }],
        ],
      );
    }
    const results = (message.tool_calls ?? []).map(
      ({ id }) => ({ role: "tool", tool_call_id: id, content: "rain" }) as const,
    );
    const messages = [{ role: "user", content: "Weather?" } as const, message, ...results];
    const next = await ask("complete", { messages, tools: [WEATHER] });
    assert.equal(next.choices[0]?.message.content, "Hello, world!");
    const sent = lastOf(fake).body.toString("utf8");
    assert.ok(sent.includes('"c2"') && sent.includes("rain"), sent);
    // The proof of the call went to the client and came back.
    assert.equal(sent.includes('"thoughtSignature":"c2ln"'), name !== "bedrock");
  });
}

function inputs({ name, fake, schemaAt, picture }: Cloud): void {
  const ask = asking(name);

  it("asks for a schema in the backend's words", async () => {
    await ask("complete", {
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA, strict: true } },
    });
    const sent: unknown = JSON.parse(lastOf(fake).body.toString("utf8"));
    const schema = schemaAt.reduce<unknown>((value, key) => objectOf(value)?.[key], sent);
    assert.deepEqual(typeof schema === "string" ? JSON.parse(schema) : schema, SCHEMA);
  });

  it("shows pictures by their bytes", async () => {
    const url = `data:image/png;base64,${PICTURE}`;
    await ask("complete", {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What?" },
            { type: "image_url", image_url: { url } },
          ],
        },
      ],
    });
    const sent = lastOf(fake).body.toString("utf8");
    assert.ok(sent.includes(JSON.stringify(picture)), sent);
  });
}

function failures({ name, fake }: Cloud): void {
  const ask = asking(name);

  it("is given up upstream when the client leaves", async () => {
    const stream = await client.chat.completions.create({
      model: `${name}-endless`,
      messages: [{ role: "user", content: "leaving" }],
      stream: true,
    });
    for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? "") !== "") break;
    stream.controller.abort();
    await until("the upstream is told", () => fake.requests.some((seen) => seen.closedEarly));
  });

  it("gets the backend's errors in its own words, and ours where our credentials are at fault", async () => {
    await assert.rejects(ask("failsWith429Seconds"), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      assert.match(error.message, /mock: no/);
      assert.ok(["ThrottlingException", "RESOURCE_EXHAUSTED"].includes(error.code ?? ""));
      return true;
    });
    await assert.rejects(ask("failsWith401"), (error) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.deepEqual([error.status, error.code], [502, "upstream_unauthorized"]);
      return true;
    });
    const stream = await client.chat.completions.create({
      model: `${name}-failsByErrorEvent`,
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    await assert.rejects(async () => {
      for await (const chunk of stream) assert.ok(chunk.choices.length > 0);
    }, OpenAI.APIError);
  });
}

it("AI Studio's models are found where the configuration names none", async () => {
  await until("the list was asked for", async () => {
    const names: string[] = [];
    for await (const model of client.models.list()) names.push(model.id);
    return names.includes("gemini-fake") && names.includes("embedding-fake");
  });
});

describe("the OpenAI SDK's embeddings", () => {
  const embed = (model: string, input: string | string[], more: object = {}) =>
    client.embeddings.create({ model, input, ...more });

  for (const model of ["studio-embed", "vertex-embed", "cohere"]) {
    it(`are made by ${model}, one vector a text`, async () => {
      // The SDK asks for base64 by itself and decodes it.
      const { data } = await embed(model, ["one", "two"], { dimensions: 2 });
      assert.deepEqual(
        data.map(({ embedding }) => embedding),
        [
          [0.5, 0],
          [0.5, 1],
        ],
      );
      const plain = await embed(model, "one", { encoding_format: "float" });
      assert.deepEqual(plain.data[0]?.embedding, [0.5, 0]);
    });
  }

  it("are metered by what the model counted, and by our own count where it counts nothing", async () => {
    const counted = await embed("titan", "one").withResponse();
    assert.equal(counted.data.usage.prompt_tokens, 3);
    const receipt = await receiptOf(server, counted.response.headers.get("x-baseload-receipt") ?? "");
    assertExact(receipt.tokens.input, 3, "provider_reported");
    const { response } = await embed("cohere", "one two three").withResponse();
    const estimate = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "");
    assert.equal(estimate.tokens.input.method, "counted_estimate");
  });

  it("are refused where the model takes one text, or tokens are given in place of texts", async () => {
    await assert.rejects(embed("titan", ["one", "two"]), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepEqual(error.code, "not_expressible");
      return true;
    });
    await assert.rejects(client.embeddings.create({ model: "cohere", input: [1, 2] }), OpenAI.BadRequestError);
    await assert.rejects(embed("bedrock-complete", "one"), OpenAI.BadRequestError);
  });
});

it("a client of responses is served as well", async () => {
  const answer = await client.responses.create({ model: "bedrock-complete", input: "Hi", instructions: "Be brief." });
  assert.equal(answer.output_text, "Hello, world!");
  const calls = await client.responses.create({
    model: "studio-tools",
    input: "Weather?",
    tools: [{ type: "function", name: "get_weather", parameters: SCHEMA, strict: true }],
  });
  assert.deepEqual(
    calls.output.flatMap((item) => (item.type === "function_call" ? [item.call_id] : [])),
    ["c1", "c2"],
  );
});

it("one exchange gave the token of every send to Vertex AI", () => {
  assert.equal(endpoint.given.length, 1);
});
