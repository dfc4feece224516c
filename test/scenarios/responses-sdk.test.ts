import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { until } from "../until.ts";
import { TOOL_CALLS } from "../upstream/behaviours.ts";
import { USAGE } from "../upstream/chunks.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { assertExact, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { TINY } from "./lib/tiny.ts";

// The mock speaks chat completions alone, so everything here goes through the conversion.
const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
backends:
  tiny: { engine: embedded }
  strict: { url: "${mock.baseUrl}" }
  lenient: { url: "${mock.baseUrl}", models: { lenient: ok }, onLoss: drop }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

const client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0, timeout: 30_000 });
type Params = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, "model" | "input">;

function ask(model: string, more: Params = {}) {
  return client.responses.create({ model, input: "Say something about power.", ...more });
}

async function eventsOf(model: string, more: Params = {}): Promise<readonly OpenAI.Responses.ResponseStreamEvent[]> {
  const stream = await client.responses.create({ model, input: "Hi", ...more, stream: true });
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** The tiny model may end its turn before the limit, which is complete then. */
function assertEnd({ status, incomplete_details: details, usage }: OpenAI.Responses.Response): void {
  const tokens = usage?.output_tokens ?? assert.fail("no usage");
  assert.ok(tokens > 0 && tokens <= 8, `${tokens} tokens`);
  assert.equal(status === "completed" || tokens === 8, true);
  assert.equal(details?.reason ?? null, status === "completed" ? null : "max_output_tokens");
}

describe("the OpenAI SDK's responses", () => {
  it("are made whole by the embedded model, with a receipt", async () => {
    const { data, response } = await ask(TINY, { max_output_tokens: 8, instructions: "Be brief." }).withResponse();
    assertEnd(data);
    assert.ok(data.id.startsWith("resp_"));
    assert.equal(data.instructions, "Be brief.");
    const receipt = await receiptOf(server, response.headers.get("x-baseload-receipt") ?? "");
    assertExact(receipt.tokens.output, data.usage?.output_tokens ?? -1, "provider_reported");
  });

  it("are streamed by the embedded model, and the last event holds all of it", async () => {
    const events = await eventsOf(TINY, { max_output_tokens: 8 });
    const text = events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join("");
    const last = events.at(-1);
    const isLast = last?.type === "response.incomplete" || last?.type === "response.completed";
    assert.ok(isLast, `it ended with ${last?.type ?? "nothing"}`);
    assertEnd(last.response);
    const whole = last.response.output.flatMap((item) => (item.type === "message" ? item.content : []));
    assert.equal(whole.map((part) => (part.type === "output_text" ? part.text : "")).join(""), text);
  });

  it("call tools, whole and streamed, and go on with what they gave", async () => {
    const tools = [{ type: "function", name: "get_weather", parameters: {}, strict: false }] as const;
    const { output } = await ask("tools", { tools: [...tools] });
    const calls = output.filter((item) => item.type === "function_call");
    assert.deepEqual(
      calls.map(({ call_id: id, name, arguments: text }) => ({
        id,
        type: "function",
        function: { name, arguments: text },
      })),
      TOOL_CALLS,
    );
    const events = await eventsOf("tools", { tools: [...tools] });
    const done = events.flatMap((event) =>
      event.type === "response.function_call_arguments.done" ? [event.arguments] : [],
    );
    assert.deepEqual(
      done,
      calls.map((call) => call.arguments),
    );
    const results = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "rain" }) as const);
    const next = await client.responses.create({
      model: "echo-body",
      input: [{ role: "user", content: "Weather?" }, ...calls, ...results],
    });
    const sent = JSON.parse(next.output_text) as { readonly messages: readonly { readonly role: string }[] };
    assert.deepEqual(
      sent.messages.map(({ role }) => role),
      ["user", "assistant", ...calls.map(() => "tool")],
    );
  });

  it("say what was used as the backend does", async () => {
    const { usage } = await ask("ok");
    assert.deepEqual([usage?.input_tokens, usage?.output_tokens], [USAGE.prompt_tokens, USAGE.completion_tokens]);
  });

  it("ask for a schema in the backend's words", async () => {
    const format = { type: "json_schema", name: "answer", schema: { type: "object" }, strict: true } as const;
    const { output_text: text } = await ask("echo-body", { text: { format } });
    const { response_format: sent } = JSON.parse(text) as { readonly response_format: unknown };
    const { type, ...schema } = format;
    assert.deepEqual(sent, { type, json_schema: schema });
  });

  it("are refused by name where the backend has no word for a part, and named in a header where it drops it", async () => {
    const background = { background: true, tools: [{ type: "web_search" }] } as const satisfies Params;
    const more: Params = { ...background, tools: [...background.tools] };
    await assert.rejects(ask("ok", more), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.code, "not_expressible");
      assert.match(error.message, /`background`.*`tools\.0`/);
      return true;
    });
    const { response } = await ask("lenient", more).withResponse();
    assert.equal(response.headers.get("x-baseload-dropped"), "background, tools.0");
  });

  it("end in the SDK's errors, before and within a stream", async () => {
    await assert.rejects(ask("rate-limited"), (error) => error instanceof OpenAI.RateLimitError);
    await assert.rejects(
      ask("ok", { previous_response_id: "resp_1" }),
      (error) => error instanceof OpenAI.BadRequestError,
    );
    await assert.rejects(ask("no-such-model-anywhere"), (error) => error instanceof OpenAI.NotFoundError);
    const seen: string[] = [];
    const stream = await client.responses.create({ model: "dies-mid-stream", input: "Hi", stream: true });
    await assert.rejects(async () => {
      for await (const event of stream) seen.push(event.type);
    });
    assert.ok(seen.includes("response.output_text.delta") && !seen.includes("response.completed"), seen.join());
  });

  it("are given up upstream when the client leaves", async () => {
    const stream = await client.responses.create({ model: "endless", input: "leaving", stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    stream.controller.abort();
    const upstream = () => mock.requests.find(({ bodyText }) => bodyText.includes("leaving"));
    await until("the upstream is told", () => upstream()?.closedEarly === true);
  });
});
