import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { capableAnthropic } from "../capable/anthropic.ts";
import { capableBedrock } from "../capable/bedrock.ts";
import { capableGemini } from "../capable/gemini.ts";
import { startFakeAnthropic } from "../clouds/fake-anthropic.ts";
import { startFakeBedrock } from "../clouds/fake-bedrock.ts";
import { startFakeGemini } from "../clouds/fake-gemini.ts";
import { cachedTokensConformance } from "../engine-conformance/capability-cached-tokens.ts";
import { embeddingsConformance } from "../engine-conformance/capability-embeddings.ts";
import { imagesConformance } from "../engine-conformance/capability-images.ts";
import { jsonSchemaConformance } from "../engine-conformance/capability-json-schema.ts";
import { logprobsConformance } from "../engine-conformance/capability-logprobs.ts";
import { refusalsConformance } from "../engine-conformance/capability-refusals.ts";
import { stopConformance } from "../engine-conformance/capability-stop.ts";
import { streamOrderConformance } from "../engine-conformance/capability-stream-order.ts";
import { toolsConformance } from "../engine-conformance/capability-tools.ts";
import type { Answer, CapabilityTarget } from "../engine-conformance/capability.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { Baseload } from "./lib/baseload.ts";

const mock = await startMock();
const anthropic = await startFakeAnthropic({ key: "k" });
const gemini = await startFakeGemini({ auth: { key: "k" } });
const bedrock = await startFakeBedrock({ key: "k" });
anthropic.capable.set("capable", capableAnthropic());
gemini.capable.set("capable", capableGemini());
bedrock.capable.set("capable", capableBedrock());
const key = "key: { env: KEY }";

const server = await Baseload.start({
  env: { KEY: "k" },
  config: `
version: 1
backends:
  openai: { url: "${mock.baseUrl}", models: { openai: capable } }
  anthropic: { engine: anthropic, url: "${anthropic.url}/v1", ${key}, models: { anthropic: capable } }
  gemini: { engine: gemini, url: "${gemini.url}", ${key}, models: { gemini: capable } }
  bedrock:
    engine: bedrock
    url: "${bedrock.url}"
    region: us-east-1
    ${key}
    models: { bedrock: us.maker.capable-v1:0, bedrock-embed: cohere.embed-capable-v3 }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await Promise.all([mock.close(), anthropic.close(), gemini.close(), bedrock.close()]);
});

function ask(path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(server.origin + path, { method: "POST", headers, body: JSON.stringify(body) });
}

function targetOf(model: string, more: Partial<CapabilityTarget> = {}): CapabilityTarget {
  return {
    model,
    more: {},
    post: async (path, body) => {
      const response = await ask(path, body);
      return { status: response.status, body: (await response.json()) as Answer };
    },
    stream: async (path, body) => {
      const text = await (await ask(path, { ...body, stream: true })).text();
      const data = text.split("\n\n").flatMap((event) => (event.startsWith("data: ") ? [event.slice(6)] : []));
      assert.equal(data.at(-1), "[DONE]", text);
      return data.slice(0, -1).map((each) => JSON.parse(each) as Answer);
    },
    ...more,
  };
}

const OPENAI = targetOf("openai");
const ANTHROPIC = targetOf("anthropic", {
  refused: [
    ["seed", 1],
    ["logprobs", true],
    ["frequency_penalty", 1],
    ["logit_bias", { 5: 1 }],
    ["response_format", { type: "json_object" }],
  ],
});
const GEMINI = targetOf("gemini", {
  refused: [
    ["parallel_tool_calls", false],
    ["logit_bias", { 5: 1 }],
  ],
  hasCompletions: false,
  countsEmbeddings: false,
});
const BEDROCK = targetOf("bedrock", {
  refused: [
    ["seed", 1],
    ["logprobs", true],
    ["presence_penalty", 1],
    ["parallel_tool_calls", false],
    ["response_format", { type: "json_object" }],
  ],
});
const ALL = { "OpenAI-compatible server": OPENAI, Anthropic: ANTHROPIC, Gemini: GEMINI, Bedrock: BEDROCK };

for (const [name, target] of Object.entries(ALL)) {
  describe(`${name} through the gateway`, () => {
    describe("tools", () => toolsConformance(() => target));
    describe("JSON by schema", () => jsonSchemaConformance(() => target));
    describe("cached tokens", () => cachedTokensConformance(() => target));
    describe("pictures", () => imagesConformance(() => target));
    describe("stop sequences", () => stopConformance(() => target));
    describe("the order of a stream", () => streamOrderConformance(() => target));
    describe("what there is no word for", () => refusalsConformance(() => target));
  });
}
for (const [name, target] of Object.entries({ "OpenAI-compatible server": OPENAI, Gemini: GEMINI })) {
  describe(`${name} through the gateway`, () => {
    describe("logprobs", () => logprobsConformance(() => target));
    describe("embeddings", () => embeddingsConformance(() => target));
  });
}
describe("Bedrock through the gateway", () => {
  const target = targetOf("bedrock-embed", { countsEmbeddings: false });
  describe("embeddings", () => embeddingsConformance(() => target));
});

describe("Anthropic through the gateway", () => {
  it("has no embeddings, and says so", async () => {
    const { status, body } = await ANTHROPIC.post("/v1/embeddings", { model: "anthropic", input: "x" });
    assert.deepEqual([status, body.error?.code], [404, "endpoint_not_served"]);
  });
});
