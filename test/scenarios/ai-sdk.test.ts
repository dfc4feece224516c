import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  generateObject,
  generateText,
  type LanguageModel,
  Output,
  stepCountIs,
  streamText,
  tool,
} from "ai";
import { z } from "zod";
import { until } from "../until.ts";
import { TOOL_CALLS } from "../upstream/behaviours.ts";
import { CACHED_USAGE, PIECES, USAGE } from "../upstream/chunks.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { assertExact, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { TINY } from "./lib/tiny.ts";

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
storage: { responseDays: 1 }
backends: { tiny: { engine: embedded }, mock: { url: "${mock.baseUrl}" } }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

const settings = { baseURL: server.baseUrl, apiKey: "any" };
const openai = createOpenAI(settings);
const anthropic = createAnthropic(settings);
const compatible = createOpenAICompatible({
  ...settings,
  name: "baseload",
  includeUsage: true,
  supportsStructuredOutputs: true,
});

interface Provider {
  readonly name: string;
  readonly model: (name: string) => LanguageModel;
}

/** The SDK's providers: each speaks an API in its own words. */
const PROVIDERS: readonly Provider[] = [
  { name: "@ai-sdk/openai, chat completions", model: (name) => openai.chat(name) },
  { name: "@ai-sdk/openai, responses", model: (name) => openai.responses(name) },
  { name: "@ai-sdk/openai-compatible", model: (name) => compatible(name) },
  { name: "@ai-sdk/anthropic", model: (name) => anthropic(name) },
];

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const TEXT = PIECES.join("");
const [WEATHER, CLOCK] = TOOL_CALLS;

/** Tools as an application has them, and what they were called with. */
function tools() {
  const called: unknown[] = [];
  const run = (answer: string) => (input: unknown) => {
    called.push(input);
    return Promise.resolve(answer);
  };
  return {
    called,
    tools: {
      weather: tool({ description: "The weather", inputSchema: z.object({ city: z.string() }), execute: run("rain") }),
      clock: tool({ description: "The time", inputSchema: z.object({ zone: z.string() }), execute: run("noon") }),
    },
  };
}

/** The bodies that the backend got whose text has this in it. */
function bodiesWith(words: string): readonly { readonly messages: readonly { role: string; content: unknown }[] }[] {
  const texts = mock.requests.map(({ bodyText }) => bodyText).filter((text) => text.includes(words));
  return texts.map((text) => JSON.parse(text) as ReturnType<typeof bodiesWith>[number]);
}

/** What a call asks of a model; without tries of its own, so that one call is one request. */
function asking(provider: Provider, name: string, prompt = `Say something about power, ${provider.name}.`) {
  // Of models that it does not know, Anthropic's provider asks for JSON by a tool unless told that they take a schema.
  const providerOptions = { anthropic: { structuredOutputMode: "outputFormat" as const } };
  return { model: provider.model(name), prompt, maxRetries: 0, providerOptions };
}

for (const provider of PROVIDERS) {
  const ask = (name: string, prompt?: string) => asking(provider, name, prompt);

  describe(`text of Vercel's AI SDK with ${provider.name}`, () => {
    it("generates text by the embedded model, with a receipt", async () => {
      const { text, usage, finishReason, response } = await generateText({
        ...ask(TINY),
        maxOutputTokens: 8,
        temperature: 0,
      });
      assert.ok(text.length > 0);
      assert.ok(["stop", "length"].includes(finishReason), finishReason);
      const receipt = await receiptOf(server, response.headers?.["x-baseload-receipt"] ?? "");
      assertExact(receipt.tokens.output, usage.outputTokens ?? -1, "provider_reported");
      assertExact(receipt.tokens.input, usage.inputTokens ?? -1, "provider_reported");
    });

    it("streams text by the embedded model", async () => {
      const result = streamText({ ...ask(TINY), maxOutputTokens: 12, temperature: 0 });
      let pieces = 0;
      let text = "";
      for await (const piece of result.textStream) {
        pieces += 1;
        text += piece;
      }
      assert.equal(text, await result.text);
      assert.ok(pieces > 1, `${pieces} pieces`);
      assert.ok(((await result.usage).outputTokens ?? 0) > 0);
    });

    it("gets every character, and the backend's own count, whole and streamed", async () => {
      const whole = await generateText(ask("ok"));
      assert.equal(whole.text, TEXT);
      assert.deepEqual(
        [whole.usage.inputTokens, whole.usage.outputTokens],
        [USAGE.prompt_tokens, USAGE.completion_tokens],
      );
      const streamed = streamText(ask("cached"));
      assert.equal(await streamed.text, TEXT);
      const usage = await streamed.usage;
      assert.deepEqual(
        [usage.inputTokens, usage.inputTokenDetails.cacheReadTokens, usage.outputTokens],
        [CACHED_USAGE.prompt_tokens, CACHED_USAGE.prompt_tokens_details?.cached_tokens, CACHED_USAGE.completion_tokens],
      );
      assert.equal(await streamed.finishReason, "stop");
    });
  });
}

for (const provider of PROVIDERS) {
  const ask = (name: string, prompt?: string) => asking(provider, name, prompt);

  describe(`tools of Vercel's AI SDK with ${provider.name}`, () => {
    it("has the embedded model call a tool, and fill in a schema", async () => {
      const enumerated = z.object({ light: z.enum(["on", "off"]) });
      const switched: unknown[] = [];
      const lamp = tool({
        description: "Switches the light",
        inputSchema: enumerated,
        execute: ({ light }) => switched.push(light),
      });
      const limits = { temperature: 0, maxOutputTokens: 400 };
      await generateText({ ...ask(TINY), ...limits, tools: { lamp }, toolChoice: "required" });
      assert.ok(switched.length > 0 && switched.every((light) => light === "on" || light === "off"), String(switched));
      const { object } = await generateObject({
        ...ask(TINY),
        schema: enumerated,
        ...limits,
      });
      assert.ok(["on", "off"].includes(object.light));
    });

    it("runs tools and goes on with their results, step by step", async () => {
      const words = `whole tools, ${provider.name}`;
      const { called, tools: given } = tools();
      const result = await generateText({ ...ask("agent", words), tools: given, stopWhen: stepCountIs(4) });
      assert.equal(result.text, TEXT);
      assert.equal(result.steps.length, 2);
      assert.deepEqual(called, [JSON.parse(WEATHER.function.arguments), JSON.parse(CLOCK.function.arguments)]);
      const [first, second] = bodiesWith(words);
      assert.deepEqual(
        first?.messages.map(({ role }) => role),
        ["user"],
      );
      assert.deepEqual(
        second?.messages.map(({ role }) => role),
        ["user", "assistant", "tool", "tool"],
      );
      assert.deepEqual(
        second?.messages.slice(2).map(({ content }) => content),
        ["rain", "noon"],
      );
    });

    it("streams tools' calls, runs them and streams what follows", async () => {
      const { called, tools: given } = tools();
      const result = streamText({
        ...ask("agent", `streamed tools, ${provider.name}`),
        tools: given,
        stopWhen: stepCountIs(4),
      });
      assert.equal(await result.text, TEXT);
      assert.equal((await result.steps).length, 2);
      assert.equal(called.length, 2);
    });
  });
}

for (const provider of PROVIDERS) {
  const ask = (name: string, prompt?: string) => asking(provider, name, prompt);

  describe(`objects and pictures of Vercel's AI SDK with ${provider.name}`, () => {
    it("generates an object by a schema, which reaches the backend", async () => {
      // The mock answers with the body that it got, which is an object with a model's name.
      const schema = z.object({ model: z.string(), response_format: z.looseObject({ type: z.string() }) });
      const { object } = await generateObject({ ...ask("echo-body"), schema });
      assert.equal(object.model, "echo-body");
      assert.equal(object.response_format.type, "json_schema");
      const sent = JSON.stringify(object.response_format);
      assert.match(sent, /"required":\["model","response_format"\]/);
      const streamed = streamText({ ...ask("echo-body"), output: Output.object({ schema }) });
      assert.equal((await streamed.output).response_format.type, "json_schema");
    });

    it("sends pictures", async () => {
      const image = Buffer.from(PNG, "base64");
      const content = [
        { type: "text" as const, text: "What is this?" },
        { type: "file" as const, data: image, mediaType: "image/png" },
      ];
      const { text } = await generateText({
        model: provider.model("echo-body"),
        messages: [{ role: "user", content }],
        maxRetries: 0,
      });
      const body = JSON.parse(text) as { messages: { content: { type: string; image_url?: { url: string } }[] }[] };
      const parts = body.messages[0]?.content ?? [];
      assert.deepEqual(
        parts.map(({ type }) => type),
        ["text", "image_url"],
      );
      assert.equal(parts[1]?.image_url?.url, `data:image/png;base64,${PNG}`);
    });
  });
}

for (const provider of PROVIDERS) {
  const ask = (name: string, prompt?: string) => asking(provider, name, prompt);

  describe(`ends of Vercel's AI SDK with ${provider.name}`, () => {
    it("is told of errors by status, code and words, and within streams", async () => {
      for (const [name, status, words] of [
        ["rate-limited", 429, /mock: rate limit/],
        ["no-such-model-anywhere", 404, /model/],
      ] as const) {
        await assert.rejects(generateText(ask(name)), (error) => {
          assert.ok(APICallError.isInstance(error), String(error));
          assert.equal(error.statusCode, status);
          assert.match(error.message, words);
          return true;
        });
      }
      const errors: unknown[] = [];
      const result = streamText({ ...ask("dies-mid-stream"), onError: ({ error }) => void errors.push(error) });
      let text = "";
      for await (const piece of result.textStream) text += piece;
      assert.ok(TEXT.startsWith(text) && text.length > 0, text);
      assert.equal(errors.length, 1);
    });

    it("is aborted, and the backend with it", async () => {
      const abort = new AbortController();
      const words = `aborted, ${provider.name}`;
      const result = streamText({ ...ask("endless", words), abortSignal: abort.signal });
      let ended = "";
      for await (const part of result.fullStream) {
        if (part.type === "text-delta") abort.abort();
        ended = part.type;
      }
      assert.equal(ended, "abort");
      const upstream = () => mock.requests.find(({ bodyText }) => bodyText.includes(words));
      await until("the upstream is told", () => upstream()?.closedEarly === true);
    });
  });
}

describe("Vercel's AI SDK with stored responses", () => {
  it("refers to what was answered, and says it again where it is told that nothing is stored", async () => {
    for (const store of [true, false]) {
      const more = { maxRetries: 0, providerOptions: { openai: { store } } };
      const first = await generateText({ model: openai.responses("ok"), prompt: "Say something.", ...more });
      const next = await generateText({
        model: openai.responses("echo-body"),
        messages: [
          { role: "user", content: "Say something." },
          ...first.response.messages,
          { role: "user", content: "What was it?" },
        ],
        ...more,
        include: { requestBody: true },
      });
      const { messages } = JSON.parse(next.text) as { readonly messages: readonly { readonly content: unknown }[] };
      assert.deepEqual(
        messages.map(({ content }) => content),
        ["Say something.", TEXT, "What was it?"],
      );
      assert.equal(JSON.stringify(next.request.body).includes("item_reference"), store);
    }
  });

  it("goes on with an earlier response by its id", async () => {
    const first = await generateText({ model: openai.responses("ok"), prompt: "Remember this.", maxRetries: 0 });
    const previousResponseId = first.response.id;
    assert.match(previousResponseId, /^resp_/);
    const { text } = await generateText({
      model: openai.responses("echo-body"),
      prompt: "What was it?",
      maxRetries: 0,
      providerOptions: { openai: { previousResponseId } },
    });
    const { messages } = JSON.parse(text) as { readonly messages: readonly { readonly content: unknown }[] };
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["Remember this.", TEXT, "What was it?"],
    );
  });
});
