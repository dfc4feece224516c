import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { startMock } from "../upstream/mock-upstream.ts";
import { assertExact, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
backends:
  vectors: { url: "${mock.baseUrl}", models: { small: mock }, price: { inputUsdPerMillion: 2, outputUsdPerMillion: 9 } }
  words: { url: "${mock.baseUrl}", models: { big: ok }, endpoints: [chat] }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

const client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0 });

describe("the OpenAI SDK's embeddings", () => {
  it("are the backend's, under the backend's name, and are charged by their input", async () => {
    const { data, response } = await client.embeddings
      .create({ model: "small", input: ["one", "three"], encoding_format: "float" })
      .withResponse();
    assert.deepEqual(
      data.data.map(({ embedding }) => embedding),
      [
        [3, 1],
        [5, 1],
      ],
    );
    assert.equal((JSON.parse(mock.requests.at(-1)?.bodyText ?? "{}") as { model?: string }).model, "mock");
    const receipt = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "");
    assert.equal(receipt.endpoint, "embeddings");
    assertExact(receipt.tokens.input, 6, "provider_reported");
    assertExact(receipt.tokens.output, 0, "provider_reported");
    assertExact(receipt.costNanoUsd, 12_000, "price_list");
  });

  it("fail in the SDK's errors: an engine's own, a model without the endpoint, a body without input", async () => {
    const ask = (model: string, input: string) => client.embeddings.create({ model, input, encoding_format: "float" });
    await assert.rejects(ask("small", "fail"), OpenAI.InternalServerError);
    await assert.rejects(
      ask("big", "x"),
      (error) => error instanceof OpenAI.NotFoundError && error.code === "endpoint_not_served",
    );
    const bare = await fetch(`${server.baseUrl}/embeddings`, { method: "POST", body: '{"model":"small"}' });
    assert.deepEqual([bare.status, ((await bare.json()) as { error: { param: string } }).error.param], [400, "input"]);
  });
});
