import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import { assertExact, assertUnknown, receiptOf, type SettledReceipt } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { LONG, TINY } from "./lib/tiny.ts";

const MODEL = TINY;
const KEY = "sk-scenario-right";
const SEQUENCES = 4;
const MESSAGES = [{ role: "user" as const, content: "Say something about power." }];

const server = await Baseload.start();
after(() => server[Symbol.asyncDispose]());

const client = clientOf(server, "any");

/** The SDK as its users make it; without retries, so that one call is one request. */
function clientOf({ baseUrl }: Baseload, apiKey: string): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0, timeout: 30_000 });
}

function idOf(response: Response): string {
  return response.headers.get("x-baseload-receipt") ?? assert.fail("no x-baseload-receipt");
}

function usageOf(usage: OpenAI.CompletionUsage | null | undefined): OpenAI.CompletionUsage {
  return usage ?? assert.fail("no usage");
}

/** Each group of figures against what the response itself said. */
function assertReceipt(receipt: SettledReceipt, usage: OpenAI.CompletionUsage): void {
  assertExact(receipt.tokens.input, usage.prompt_tokens, "provider_reported");
  assertExact(receipt.tokens.output, usage.completion_tokens, "provider_reported");
  const cached = usage.prompt_tokens_details?.cached_tokens;
  if (cached === undefined) assertUnknown(receipt.tokens.cachedInput);
  else assertExact(receipt.tokens.cachedInput, cached, "provider_reported");
  // No price, no watts and no grid are configured, and unknown is never zero.
  for (const figure of [receipt.costNanoUsd, receipt.energyMilliJoules, receipt.carbonMicrograms])
    assertUnknown(figure);
  assert.deepEqual(receipt.costLines, []);
  assert.deepEqual(
    [receipt.outcome, receipt.code, receipt.model, receipt.backendId, receipt.layer, receipt.principal.tenant],
    ["completed", null, MODEL, "embedded", "device", "default"],
  );
  assert.deepEqual(
    receipt.attempts.map(({ attempt, backendId, result, status }) => [attempt, backendId, result, status]),
    [[1, "embedded", "completed", 200]],
  );
}

/** Times are facts in microseconds, one within the other. */
function assertTimes({ time, stream }: SettledReceipt): void {
  const values = [time.queueUs, time.e2eUs, ...(stream ? [time.ttftUs, time.tpotUs] : [])];
  for (const figure of values) {
    assert.equal(figure.method, "measured");
    assert.ok(Number.isSafeInteger(figure.value) && (figure.value ?? -1) >= 0, JSON.stringify(figure));
  }
  const [queue, endToEnd] = [time.queueUs.value ?? 0, time.e2eUs.value ?? 0];
  assert.ok(queue <= endToEnd, JSON.stringify(time));
  if (!stream) return;
  const first = time.ttftUs.value ?? 0;
  assert.ok(queue <= first && first <= endToEnd, JSON.stringify(time));
}

/** Left once the first token has come; resolves to the receipt's id. */
async function leaveStream(): Promise<string> {
  const { data: stream, response } = await client.chat.completions
    .create({ model: MODEL, messages: MESSAGES, stream: true, ...LONG })
    .withResponse();
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  stream.controller.abort();
  return idOf(response);
}

describe("the OpenAI SDK against the embedded model", () => {
  it("gets a whole answer and its receipt", async () => {
    const { data, response } = await client.chat.completions
      .create({ model: MODEL, messages: MESSAGES, max_tokens: 12, user: "ada" })
      .withResponse();
    assert.equal(data.object, "chat.completion");
    const receipt = await receiptOf(server, idOf(response));
    assertReceipt(receipt, usageOf(data.usage));
    assertTimes(receipt);
    assert.deepEqual(
      [receipt.stream, receipt.endpoint, receipt.finishReason, receipt.principal.user],
      [false, "chat", data.choices[0]?.finish_reason, "ada"],
    );
  });

  it("gets a stream whose usage is on the receipt, asked for or not", async () => {
    for (const asked of [true, false]) {
      const { data, response } = await client.chat.completions
        .create({
          model: MODEL,
          messages: MESSAGES,
          max_tokens: 20,
          temperature: 0,
          stream: true,
          ...(asked ? { stream_options: { include_usage: true } } : {}),
        })
        .withResponse();
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of data) chunks.push(chunk);
      const usage = chunks.at(-1)?.usage ?? null;
      const receipt = await receiptOf(server, idOf(response));
      assert.equal(usage !== null, asked);
      if (usage !== null) assertReceipt(receipt, usage);
      assertTimes(receipt);
      assert.equal(receipt.tokens.output.method, "provider_reported");
      assert.equal(receipt.finishReason, chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []).at(-1));
    }
  });

  it("aborts streams, whose receipts say so and whose slots are free again", async () => {
    // More than there are slots: were one kept, the last ones would wait for ever.
    const ids = await Promise.all(Array.from({ length: SEQUENCES * 3 }, leaveStream));
    for (const id of ids) {
      const { outcome, code, tokens, attempts } = await receiptOf(server, id);
      assert.deepEqual([outcome, code, attempts.at(-1)?.result], ["cancelled", "client_gone", "cancelled"]);
      // The upstream reports usage at the end only, so what was made until then is counted, and bounded.
      for (const { method, value, low, high } of [tokens.input, tokens.output]) {
        assert.equal(method, "counted_estimate");
        assert.ok(value !== null && low !== null && high !== null && low <= value && value <= high);
      }
      assert.ok((tokens.output.value ?? 0) >= 1, "the token that the client saw");
    }
    const next = await client.chat.completions.create({ model: MODEL, messages: MESSAGES, max_tokens: 4 });
    assert.ok(usageOf(next.usage).completion_tokens > 0);
  });

  it("gets the same answer for the same seed", async () => {
    const answer = async (seed: number): Promise<string | null | undefined> => {
      const { choices } = await client.chat.completions.create({
        model: MODEL,
        messages: MESSAGES,
        max_tokens: 24,
        temperature: 1,
        seed,
      });
      return choices[0]?.message.content;
    };
    const first = await answer(7);
    assert.equal(await answer(7), first);
    assert.notEqual(await answer(8), first);
  });

  it("ends at a stop sequence", async () => {
    const ask = { model: MODEL, messages: MESSAGES, max_tokens: 40, temperature: 0 };
    const free = (await client.chat.completions.create(ask)).choices[0]?.message.content ?? "";
    const stop = free.slice(5, 8);
    const stopped = (await client.chat.completions.create({ ...ask, stop })).choices[0];
    assert.equal(stopped?.message.content, free.slice(0, free.indexOf(stop)));
    assert.equal(stopped?.finish_reason, "stop");
  });

  it("completes text, whole and streamed", async () => {
    const ask = { model: MODEL, prompt: "The price of light", max_tokens: 10, temperature: 0 };
    const { data, response } = await client.completions.create(ask).withResponse();
    let streamed = "";
    for await (const chunk of await client.completions.create({ ...ask, stream: true }))
      streamed += chunk.choices[0]?.text ?? "";
    assert.equal(streamed, data.choices[0]?.text);
    const receipt = await receiptOf(server, idOf(response));
    assert.equal(receipt.endpoint, "completions");
    assertReceipt(receipt, usageOf(data.usage));
  });

  it("lists and finds the model", async () => {
    const models = await client.models.list();
    assert.deepEqual(
      models.data.map(({ id, object }) => [id, object]),
      [[MODEL, "model"]],
    );
    assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  });

  it("throws its own errors, with codes", async () => {
    const notFound = { status: 404, code: "model_not_found" };
    await assert.rejects(client.chat.completions.create({ model: "no-such", messages: MESSAGES }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.deepEqual({ status: error.status, code: error.code }, notFound);
      assert.match(error.message, /no-such/);
      return true;
    });
    await assert.rejects(client.models.retrieve("no-such"), OpenAI.NotFoundError);
    await assert.rejects(client.chat.completions.create({ model: MODEL, messages: [] }), OpenAI.BadRequestError);
    // The engine's own refusal keeps its field and words.
    await assert.rejects(
      client.chat.completions.create({ model: MODEL, messages: MESSAGES, temperature: 9 }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature",
    );
  });
});

describe("the OpenAI SDK with a tenant's key", () => {
  it("is let in with the right key, refused with a wrong one, and sees its own receipts alone", async () => {
    await using keyed = await Baseload.start({
      config: `
version: 1
backends: { embedded: { engine: embedded } }
tenants:
  search: { keys: [{ name: production, sha256: ${hashKey(KEY)} }] }
  other: { keys: [{ name: main, env: OTHER_KEY }] }
`,
      env: { OTHER_KEY: "sk-scenario-other" },
    });
    const right = clientOf(keyed, KEY);
    const { response } = await right.chat.completions
      .create({ model: MODEL, messages: MESSAGES, max_tokens: 4 })
      .withResponse();
    const receipt = await receiptOf(keyed, idOf(response), KEY);
    assert.deepEqual([receipt.principal.tenant, receipt.principal.key], ["search", "production"]);
    const hidden = await fetch(`${keyed.origin}/api/receipts/${receipt.receiptId}`, {
      headers: { authorization: "Bearer sk-scenario-other" },
    });
    assert.equal(hidden.status, 404, "another tenant's receipt");
    await assert.rejects(clientOf(keyed, "sk-wrong").models.list(), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, "wrong_key");
      return true;
    });
    assert.doesNotMatch(keyed.output, /sk-/, "a key in the output");
  });
});
