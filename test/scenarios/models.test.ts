import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { until } from "../until.ts";
import { receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
server: { queueTimeoutMs: 1000 }
backends:
  plain:
    url: ${mock.baseUrl}
    models: { org/plain: ok, secret: ok, "family-*": "ok-*" }
    price: { inputUsdPerMillion: 0.15, cachedInputUsdPerMillion: 0.075, outputUsdPerMillion: 0.60 }
  dead: { url: "http://127.0.0.1:1/v1", models: [best-of-all] }
  granted: { url: ${mock.baseUrl}, models: { granted: ok }, quota: { requestsPerMinute: 2 } }
models:
  org/plain:
    aliases: [plain]
    contextTokens: 1000
    modalities: { input: [text], output: [text] }
    capabilities: { tools: false }
    ownedBy: org
  best: { aliasOf: [best-of-all, plain] }
tenants:
  all: { keys: [{ name: main, sha256: ${hashKey("sk-all")} }] }
  some:
    denyModels: [secret]
    keys:
      - { name: main, sha256: ${hashKey("sk-some")} }
      - { name: narrow, sha256: ${hashKey("sk-narrow")}, models: [plain] }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

/** What OpenAI's own type does not name. */
type Entry = OpenAI.Model & Readonly<Record<string, unknown>>;

function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: server.baseUrl, apiKey, maxRetries: 0, timeout: 20_000 });
}

async function listed(apiKey: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const model of clientOf(apiKey).models.list()) entries.push(model as Entry);
  return entries;
}

const names = async (apiKey: string): Promise<readonly string[]> => (await listed(apiKey)).map(({ id }) => id);

const asking = (model: string, apiKey = "sk-all", given: Partial<OpenAI.ChatCompletionCreateParams> = {}) =>
  clientOf(apiKey).chat.completions.create({
    model,
    messages: [{ role: "user", content: "Say something about power." }],
    ...given,
    stream: false,
  });

async function refusal(request: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await request.then(
    () => assert.fail("it was answered"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof OpenAI.APIError, String(error));
  return error;
}

describe("names of models, as OpenAI's client sees them", () => {
  it("lists what each key may use, with a family's members as soon as they are known", async () => {
    await until("the members are listed", async () => (await names("sk-all")).includes("family-no-usage"));
    const all = await names("sk-all");
    for (const name of ["org/plain", "secret", "best-of-all", "granted", "best"]) assert.ok(all.includes(name), name);
    assert.ok(!all.some((name) => name.includes("*")), "no family itself");
    assert.ok(!(await names("sk-some")).includes("secret"));
    assert.deepEqual(await names("sk-narrow"), ["plain"]);
  });

  it("tells what is known of a model, by its name with a slash or by an alias", async () => {
    for (const name of ["org/plain", "plain"]) {
      const model = (await clientOf("sk-all").models.retrieve(name)) as Entry;
      const { id, object, owned_by, context_length, max_output_tokens, aliases, architecture, pricing } = model;
      assert.deepEqual([id, object, owned_by, aliases], ["org/plain", "model", "org", ["plain"]]);
      assert.deepEqual([context_length, max_output_tokens], [1000, null]);
      assert.deepEqual(architecture, { input_modalities: ["text"], output_modalities: ["text"] });
      assert.deepEqual(pricing, { prompt: "0.00000015", completion: "0.0000006", input_cache_read: "0.000000075" });
    }
  });

  it("serves by a member of a family, and by an alias, which goes on when the first model fails", async () => {
    assert.equal((await asking("family-no-usage")).object, "chat.completion");
    const { response } = await asking("best").withResponse();
    const receipt = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "", "sk-all");
    const { model, resolvedModel, upstreamModel, attempts } = receipt;
    assert.deepEqual([model, resolvedModel, upstreamModel], ["best", "org/plain", "ok"]);
    assert.deepEqual(
      attempts.map(({ backendId, result }) => [backendId, result]),
      [
        ["dead", "upstream_unreachable"],
        ["plain", "completed"],
      ],
    );
  });

  it("answers alike for a model that is not there and for one that may not be used", async () => {
    const words: string[] = [];
    for (const name of ["secret", "absent"]) {
      for (const ask of [() => asking(name, "sk-some"), () => clientOf("sk-some").models.retrieve(name)]) {
        const { status, code, message } = await refusal(ask());
        assert.deepEqual([status, code], [404, "model_not_found"]);
        words.push(message.replaceAll(name, "NAME"));
      }
    }
    assert.equal(new Set(words).size, 1, words.join("\n"));
    assert.equal((await asking("secret")).object, "chat.completion");
    assert.equal((await refusal(asking("org/plain", "sk-narrow"))).code, "model_not_found");
    assert.equal((await asking("plain", "sk-narrow")).object, "chat.completion");
  });

  it("refuses what the model is known not to do", async () => {
    const image = { type: "image_url" as const, image_url: { url: "data:image/png;base64,AA==" } };
    const withImage = { messages: [{ role: "user" as const, content: [image] }] };
    const seen = await refusal(asking("plain", "sk-all", withImage));
    assert.deepEqual([seen.status, seen.code], [400, "content_unsupported"]);
    assert.match(seen.message, /plain takes no images/);
    assert.equal((await asking("secret", "sk-all", withImage)).object, "chat.completion", "of which nothing is known");
    assert.equal((await refusal(asking("plain", "sk-all", { max_tokens: 1000 }))).code, "context_length_exceeded");
  });

  it("keeps to what a provider grants, and says when to come again", async () => {
    await asking("granted");
    await asking("granted");
    const error = await refusal(asking("granted"));
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, "quota_exceeded");
    // Two a minute are one in thirty seconds, from the first of them on; that is longer than a request may wait here.
    const seconds = Number(error.headers?.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 30, String(seconds));
  });
});
