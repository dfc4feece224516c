import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { hashKey } from "../../src/gateway/access.ts";
import {
  CALLS,
  CITATION,
  COUNTED,
  failureWords,
  startAnthropicMock,
  TEXT,
  THOUGHT,
} from "../upstream-anthropic/mock.ts";
import { PIECES, USAGE } from "../upstream/chunks.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { TOOL_CALLS } from "../upstream/behaviours.ts";
import { until } from "../gateway-suite/check.ts";
import { assertExact, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { TINY } from "./lib/tiny.ts";

const UPSTREAM_KEY = "sk-ant-upstream-51f0";
const mock = await startAnthropicMock();
const openai = await startMock();
const server = await Baseload.start({
  config: `
version: 1
server: { cooldownFirstMs: 1, cooldownMaxMs: 1 }
backends:
  embedded: { engine: embedded, onLoss: drop }
  claude:
    engine: anthropic
    url: ${mock.baseUrl}
    key: { env: UPSTREAM_KEY }
    models: ${JSON.stringify({ "claude-x": "ok", ...names() })}
    price:
      inputUsdPerMillion: 3
      cachedInputUsdPerMillion: 0.3
      cacheWriteUsdPerMillion: 3.75
      outputUsdPerMillion: 15
  gpt: { url: ${openai.baseUrl}, models: { gpt: ok, gpt-tools: tools, gpt-echo: echo-body, gpt-limited: rate-limited } }
  own: { url: ${mock.baseUrl}, models: { own: ok }, endpoints: [messages, count_tokens], key: { env: UPSTREAM_KEY } }
  gpt-drops: { url: ${openai.baseUrl}, models: { loose: echo-body }, onLoss: drop }
`,
  env: { UPSTREAM_KEY },
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock[Symbol.asyncDispose]();
  await openai.close();
});

/** Every behaviour of the fake as a model whose name says that it is Claude. */
function names(): Readonly<Record<string, string>> {
  const all = "echo thinking tools cites searches max-tokens context-full stopped refuses pauses";
  const failing = "bad-request unauthorized rate-limited broken overloaded dies fails-in-stream endless";
  return Object.fromEntries(`${all} ${failing}`.split(" ").map((name) => [`claude-${name}`, name]));
}

/** The SDKs as their users make them; without retries, so that one call is one request. */
const client = new Anthropic({ baseURL: server.origin, apiKey: "any", maxRetries: 0, timeout: 30_000 });
const chat = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0, timeout: 30_000 });

const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Say something about power." }];
const ask = (model: string): { model: string; max_tokens: number; messages: Anthropic.MessageParam[] } => ({
  model,
  max_tokens: 40,
  messages,
});

function idOf(response: Response): string {
  return response.headers.get("x-baseload-receipt") ?? assert.fail("no x-baseload-receipt");
}

const GET_WEATHER: Anthropic.Tool = {
  name: "weather",
  description: "Tells the weather.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

/** What the echoing fakes say is the body that they got. */
function echoed(message: Anthropic.Message): Record<string, unknown> {
  const [block] = message.content;
  return block?.type === "text" ? (JSON.parse(block.text) as Record<string, unknown>) : assert.fail("no text");
}

describe("the Anthropic SDK against an Anthropic backend", () => {
  it("gets bytes that pass, with the upstream's usage and its cache on the receipt", async () => {
    const { data, response } = await client.messages.create(ask("claude-x")).withResponse();
    assert.deepEqual([data.content[0], data.stop_reason], [{ type: "text", text: TEXT, citations: null }, "end_turn"]);
    assert.equal(response.headers.get("request-id"), response.headers.get("x-request-id"));
    const receipt = await receiptOf(server, idOf(response));
    assertExact(receipt.tokens.input, 1234, "provider_reported");
    assertExact(receipt.tokens.cachedInput, 34, "provider_reported");
    assertExact(receipt.tokens.cacheWrite, 200, "provider_reported");
    assertExact(receipt.tokens.reasoning, 19, "provider_reported");
    assert.deepEqual([receipt.endpoint, receipt.finishReason, receipt.upstreamModel], ["messages", "stop", "ok"]);
    assert.deepEqual(
      receipt.costLines.map(({ item, quantity, amountNanoUsd }) => [item, quantity, amountNanoUsd]),
      [
        ["input", 1000, 3_000_000],
        ["cached_input", 34, 10_200],
        ["cache_write", 200, 750_000],
        ["output", 57, 855_000],
      ],
    );
    const seen = mock.requests.at(-1);
    assert.equal(seen?.headers["x-api-key"], UPSTREAM_KEY);
    assert.equal(seen.headers.authorization, undefined, "the client's own key stays here");
    assert.match(String(seen.headers["anthropic-version"]), /^\d{4}-\d\d-\d\d$/);
  });

  it("streams by its helper, thoughts, signatures and calls as they came", async () => {
    for (const model of ["claude-thinking", "claude-tools", "claude-cites", "claude-searches"]) {
      const whole = await client.messages.create(ask(model));
      const streamed = await client.messages.stream(ask(model)).finalMessage();
      assert.deepEqual(streamed.content, whole.content, model);
      assert.deepEqual([streamed.stop_reason, streamed.usage], [whole.stop_reason, whole.usage]);
    }
    const thought = (await client.messages.stream(ask("claude-thinking")).finalMessage()).content;
    assert.deepEqual(thought[0], THOUGHT);
    assert.equal(thought[1]?.type, "redacted_thinking");
  });

  it("sends its beta headers to Anthropic and keeps unknown members", async () => {
    const betas = { headers: { "anthropic-beta": "context-1m-2025-08-07" } };
    const body = { ...ask("claude-echo"), made_up: { of: 1 } };
    const got = echoed(await client.messages.create(body, betas));
    assert.deepEqual([got["made_up"], got["model"]], [{ of: 1 }, "echo"]);
    assert.equal(mock.requests.at(-1)?.headers["anthropic-beta"], "context-1m-2025-08-07");
  });

  it("closes the upstream when it leaves in the middle", async () => {
    const stream = client.messages.stream(ask("claude-endless"));
    for await (const event of stream) if (event.type === "content_block_delta") break;
    stream.abort();
    await until(() => Promise.resolve(mock.requests.at(-1)?.closedEarly === true || undefined), {
      withinMs: 20_000,
      orElse: "the upstream was never closed",
    });
  });

  it("throws its own errors", async () => {
    const rows = [
      ["claude-rate-limited", Anthropic.RateLimitError, "rate_limit_error"],
      ["claude-overloaded", Anthropic.OverloadedError, "overloaded_error"],
      ["claude-bad-request", Anthropic.BadRequestError, "invalid_request_error"],
      ["claude-broken", Anthropic.InternalServerError, "api_error"],
    ] as const;
    for (const [model, kind, type] of rows) {
      for (const stream of [false, true]) {
        await assert.rejects(client.messages.create({ ...ask(model), stream }), (error) => {
          assert.ok(error instanceof kind, `${model}: ${String(error)}`);
          assert.deepEqual([error.type, error.apiMessage], [type, failureWords(type)]);
          assert.notEqual(error.requestID ?? null, null);
          return true;
        });
      }
    }
    await assert.rejects(client.messages.create(ask("claude-rate-limited")), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      assert.equal(error.headers.get("anthropic-ratelimit-requests-remaining"), "0");
      return true;
    });
    // The server's own credentials are not the client's business.
    await assert.rejects(client.messages.create(ask("claude-unauthorized")), Anthropic.InternalServerError);
    await assert.rejects(client.messages.create(ask("no-such")), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.equal(error.type, "not_found_error");
      return true;
    });
    const bad = { ...ask("claude-x"), max_tokens: "many" } as unknown as Anthropic.MessageCreateParamsNonStreaming;
    await assert.rejects(client.messages.create(bad), /max_tokens/);
  });

  it("is told of a stream that fails after it began", async () => {
    for (const model of ["claude-fails-in-stream", "claude-dies"]) {
      const stream = await client.messages.create({ ...ask(model), stream: true });
      const seen: string[] = [];
      await assert.rejects(
        async () => {
          for await (const event of stream) seen.push(event.type);
        },
        (error) => {
          assert.ok(error instanceof Anthropic.APIError);
          assert.equal(error.type, "api_error");
          return true;
        },
      );
      assert.ok(seen.includes("content_block_delta"), "content came before the end");
    }
  });

  it("counts tokens at the backend, for nothing", async () => {
    const { data, response } = await client.messages
      .countTokens({ model: "claude-x", messages, system: "Be brief." })
      .withResponse();
    assert.equal(data.input_tokens, COUNTED);
    assert.equal(response.headers.get("x-baseload-method"), null);
    const receipt = await receiptOf(server, idOf(response));
    assert.deepEqual(
      [receipt.endpoint, receipt.tokens.input.value, receipt.tokens.output.value, receipt.costNanoUsd.value],
      ["count_tokens", 0, 0, 0],
    );
  });

  it("lists models in its own shape", async () => {
    const listed: string[] = [];
    for await (const { id } of client.models.list()) listed.push(id);
    assert.ok(listed.includes("claude-x") && listed.includes(TINY), listed.join(" "));
    assert.equal((await client.models.retrieve("claude-x")).type, "model");
    await assert.rejects(client.models.retrieve("no-such"), Anthropic.NotFoundError);
  });
});

describe("the Anthropic SDK against an OpenAI backend", () => {
  it("gets a message, whole and streamed", async () => {
    const text = PIECES.join("");
    for (const got of [
      await client.messages.create(ask("gpt")),
      await client.messages.stream(ask("gpt")).finalMessage(),
    ]) {
      assert.deepEqual(got.content, [{ type: "text", text, citations: null }]);
      assert.deepEqual([got.role, got.stop_reason, got.stop_sequence], ["assistant", "end_turn", null]);
      assert.deepEqual(
        [got.usage.input_tokens, got.usage.output_tokens],
        [USAGE.prompt_tokens, USAGE.completion_tokens],
      );
    }
  });

  it("makes calls and answers them, with arguments in pieces", async () => {
    const partial: unknown[] = [];
    const stream = client.messages
      .stream({ ...ask("gpt-tools"), tools: [GET_WEATHER], tool_choice: { type: "any" } })
      .on("inputJson", (_text, snapshot) => partial.push(snapshot));
    const got = await stream.finalMessage();
    const calls = got.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(
      calls.map(({ id, name, input }) => [id, name, input]),
      TOOL_CALLS.map(({ id, function: fn }) => [id, fn.name, JSON.parse(fn.arguments)]),
    );
    assert.ok(partial.length > 2, "the arguments came in pieces");
    assert.equal(got.stop_reason, "tool_use");
    const results = calls.map(({ id }) => ({ type: "tool_result" as const, tool_use_id: id, content: `done ${id}` }));
    const sent = echoed(
      await client.messages.create({
        ...ask("gpt-echo"),
        messages: [...messages, { role: "assistant", content: got.content }, { role: "user", content: results }],
        tools: [GET_WEATHER],
      }),
    );
    const turns = sent["messages"] as { role: string; tool_call_id?: string; tool_calls?: { id: string }[] }[];
    assert.deepEqual(
      turns.map(({ role, tool_call_id: id }) => [role, id]),
      [["user", undefined], ["assistant", undefined], ...calls.map(({ id }) => ["tool", id])],
    );
    assert.deepEqual(
      turns[1]?.tool_calls?.map(({ id }) => id),
      calls.map(({ id }) => id),
    );
  });

  it("sends images and instructions in OpenAI's words", async () => {
    const image = { type: "base64" as const, media_type: "image/png" as const, data: "AAAA" };
    const content = [
      { type: "image" as const, source: image },
      { type: "text" as const, text: "What is it?" },
    ];
    const sent = echoed(
      await client.messages.create({
        ...ask("gpt-echo"),
        system: "Be brief.",
        messages: [{ role: "user", content }],
        stop_sequences: ["END"],
      }),
    );
    assert.deepEqual(sent["messages"], [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "text", text: "What is it?" },
        ],
      },
    ]);
    assert.deepEqual([sent["stop"], sent["max_tokens"]], [["END"], 40]);
  });

  it("is refused what the backend has no word for, unless it may be dropped, and then is told", async () => {
    const search = { type: "web_search_20250305" as const, name: "web_search" as const };
    await assert.rejects(client.messages.create({ ...ask("gpt"), tools: [search] }), (error) => {
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.match(error.message, /tools\.0/);
      return true;
    });
    const { data, response } = await client.messages.create({ ...ask("loose"), tools: [search] }).withResponse();
    assert.match(response.headers.get("x-baseload-dropped") ?? "", /tools\.0/);
    assert.equal(echoed(data)["tools"], undefined);
  });

  it("throws its own errors, and counts tokens by an estimate that says so", async () => {
    await assert.rejects(client.messages.create(ask("gpt-limited")), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      return true;
    });
    const { data, response } = await client.messages.countTokens({ model: "gpt", messages }).withResponse();
    assert.ok(data.input_tokens > 3 && data.input_tokens < 30, String(data.input_tokens));
    assert.equal(response.headers.get("x-baseload-method"), "counted_estimate");
  });
});

describe("an OpenAI backend that has Anthropic's endpoints itself", () => {
  it("gets the bytes of Anthropic's clients, its own key as a bearer token, and other conversations converted", async () => {
    const passed = await client.messages.create({ ...ask("own"), top_k: 3 } as Parameters<
      typeof client.messages.create
    >[0]);
    assert.ok("content" in passed);
    const seen = mock.requests.at(-1);
    assert.deepEqual([seen?.body["top_k"], seen?.headers.authorization], [3, `Bearer ${UPSTREAM_KEY}`]);
    assert.equal(seen?.headers["x-api-key"], undefined);
    assert.equal((await client.messages.countTokens({ model: "own", messages })).input_tokens, COUNTED);
    const asked = { model: "own", messages: [{ role: "user" as const, content: "Hi" }] };
    assert.equal((await chat.chat.completions.create(asked)).choices[0]?.message.content, TEXT);
    assert.equal(mock.requests.at(-1)?.path, "/v1/messages");
  });
});

describe("the Anthropic SDK against the embedded model", () => {
  it("gets an answer, whole and streamed, and its receipt", async () => {
    const { data, response } = await client.messages.create(ask(TINY)).withResponse();
    assert.equal(data.content[0]?.type, "text");
    assert.ok(["end_turn", "max_tokens"].includes(String(data.stop_reason)));
    const receipt = await receiptOf(server, idOf(response));
    assert.deepEqual([receipt.endpoint, receipt.backendId], ["messages", "embedded"]);
    assertExact(receipt.tokens.output, data.usage.output_tokens, "provider_reported");
    assertExact(receipt.tokens.input, data.usage.input_tokens, "provider_reported");
    const streamed = await client.messages.stream(ask(TINY)).finalMessage();
    assert.ok(streamed.usage.output_tokens > 0 && streamed.usage.input_tokens > 0);
  });
});

describe("the OpenAI SDK against an Anthropic backend", () => {
  const turn = { messages: [{ role: "user" as const, content: "Hi" }] };

  it("gets completions, whole and streamed", async () => {
    const whole = await chat.chat.completions.create({ model: "claude-x", ...turn });
    assert.deepEqual([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason], [TEXT, "stop"]);
    assert.deepEqual(
      [whole.usage?.prompt_tokens, whole.usage?.completion_tokens, whole.usage?.prompt_tokens_details?.cached_tokens],
      [1234, 57, 34],
    );
    assert.equal(mock.requests.at(-1)?.body["max_tokens"], 8192);
    assert.equal(mock.requests.at(-1)?.headers["anthropic-version"], "2023-06-01");
    const stream = chat.chat.completions.stream({ model: "claude-tools", ...turn });
    const streamed = await stream.finalChatCompletion();
    const calls = streamed.choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      calls.map(
        (call) => call.type === "function" && [call.id, call.function.name, JSON.parse(call.function.arguments)],
      ),
      CALLS.map(({ id, name, input }) => [id, name, input]),
    );
    assert.equal(streamed.choices[0]?.finish_reason, "tool_calls");
  });

  it("gets responses, thoughts and calls among them", async () => {
    const { output, usage } = await chat.responses.create({ model: "claude-tools", input: "Hi" });
    assert.deepEqual(
      output.map(({ type }) => type),
      ["reasoning", "message", "function_call", "function_call"],
    );
    assert.equal(usage?.input_tokens, 1234);
  });

  it("gets every end in its own words, and sources as annotations", async () => {
    for (const [model, reason] of [
      ["max-tokens", "length"],
      ["context-full", "length"],
      ["stopped", "stop"],
      ["refuses", "content_filter"],
      ["pauses", "stop"],
    ] as const) {
      const { choices } = await chat.chat.completions.create({ model: `claude-${model}`, ...turn });
      assert.equal(choices[0]?.finish_reason, reason, model);
    }
    const cited = await chat.chat.completions.create({ model: "claude-cites", ...turn });
    assert.equal(cited.choices[0]?.message.annotations?.[0]?.url_citation.url, CITATION.url);
  });

  it("throws its own errors", async () => {
    await assert.rejects(chat.chat.completions.create({ model: "claude-rate-limited", ...turn }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get("retry-after"), "7");
      assert.match(error.message, /mock: rate_limit_error/);
      return true;
    });
    await assert.rejects(chat.chat.completions.create({ model: "claude-x", seed: 1, ...turn }), /seed/);
  });
});

describe("Anthropic's clients with a tenant's key", () => {
  it("are let in by x-api-key and by bearer token, and refused in Anthropic's words", async () => {
    const key = "sk-scenario-messages";
    await using keyed = await Baseload.start({
      config: `
version: 1
server: { maxBodyBytes: 2000 }
backends: { claude: { engine: anthropic, url: ${mock.baseUrl}, models: { m: ok } } }
tenants: { search: { keys: [{ name: main, sha256: ${hashKey(key)} }] } }
`,
    });
    const post = (headers: Record<string, string>, content = "Hi", path = ""): Promise<Response> =>
      fetch(`${keyed.baseUrl}/messages${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ ...ask("m"), messages: [{ role: "user", content }] }),
      });
    assert.equal((await post({ "x-api-key": key })).status, 200);
    assert.equal((await post({ authorization: `Bearer ${key}` })).status, 200);
    const refusals = [
      [await post({}), 401, "authentication_error"],
      [await post({ "x-api-key": "sk-wrong" }), 401, "authentication_error"],
      [await post({ "x-api-key": key }, "x".repeat(3000)), 413, "request_too_large"],
      [await post({ "x-api-key": key }, "Hi", "/batches"), 404, "not_found_error"],
      [await fetch(`${keyed.baseUrl}/messages`, { headers: { "x-api-key": key } }), 405, "invalid_request_error"],
    ] as const;
    for (const [response, status, type] of refusals) {
      const value = (await response.json()) as { type: string; error: { type: string; message: string } };
      assert.deepEqual([response.status, value.type, value.error.type], [status, "error", type]);
      assert.equal(typeof value.error.message, "string");
    }
    const wrong = new Anthropic({ baseURL: keyed.origin, apiKey: "sk-wrong", maxRetries: 0 });
    await assert.rejects(wrong.messages.create(ask("m")), Anthropic.AuthenticationError);
  });
});
