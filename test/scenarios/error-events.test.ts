import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { awsException } from "../clouds/aws-frames.ts";
import { bedrockEvents, startFakeBedrock } from "../clouds/fake-bedrock.ts";
import { geminiEvents, googleError, startFakeGemini } from "../clouds/fake-gemini.ts";
import { sse, streamed } from "../upstream-anthropic/events.ts";
import { Baseload } from "./lib/baseload.ts";

/** Words that end in something that no client should see. */
const LONG = `too long ${"x".repeat(2000)} the-end`;
const anthropic = (type: string, message: string): string => sse("error", { error: { type, message } });
const openai = (error: object): string => `data: ${JSON.stringify({ error })}\n\n`;
const begun = (): string => {
  const told = {
    content: [{ type: "text", text: "Hello." }],
    ending: { stop_reason: "end_turn", stop_sequence: null },
  };
  return [...streamed("msg_1", "late", told)].slice(0, 4).join("");
};
const CHUNK = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello."},"finish_reason":null}]}\n\n`;

/** What a plain server says to each model. */
const SAID: Readonly<Record<string, () => string>> = {
  "a-over": () => anthropic("overloaded_error", "mock: busy"),
  "a-limit": () => anthropic("rate_limit_error", "mock: slow down"),
  "a-plain": () => anthropic("api_error", "mock: oh no"),
  "a-key": () => anthropic("authentication_error", "mock: bad key sk-secret"),
  "a-late": () => begun() + anthropic("overloaded_error", "mock: busy"),
  "o-plain": () => openai({ message: "mock: oh no", type: "server_error", code: null }),
  "o-number": () => openai({ message: "mock: too long a prompt", type: "BadRequestError", code: 400 }),
  "o-long": () => openai({ message: LONG, type: "server_error" }),
  "o-late": () => CHUNK + openai({ message: "mock: oh no", code: 500 }),
  ok: () => `${CHUNK}data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`,
};

/** The models that the plain server was asked for. */
const asked: string[] = [];

async function say(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const { model } = JSON.parse(Buffer.concat(parts).toString("utf8")) as { readonly model: string };
  asked.push(model);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(SAID[model]?.());
}

const plain = createServer((request, response) => void say(request, response));
await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/v1`;
const studio = await startFakeGemini({ auth: { key: "k" } });
const bedrock = await startFakeBedrock({ key: "k" });
studio.scripts.set("g-over", { events: geminiEvents([googleError(503, "mock: busy").body as object]), whole: {} });
const exception = (kind: string): readonly Buffer[] => [
  ...bedrockEvents([["messageStart", { role: "assistant" }]]),
  awsException(kind, { message: "mock: slow down" }),
];
bedrock.scripts.set("b-limit", { events: exception("throttlingException"), whole: {} });
bedrock.scripts.set("b-plain", { events: exception("modelStreamErrorException"), whole: {} });

const server = await Baseload.start({
  env: { KEY: "k" },
  config: `
version: 1
backends:
  claude: { engine: anthropic, url: "${url}", models: [a-over, a-limit, a-plain, a-key, a-late] }
  first: { engine: anthropic, url: "${url}", models: { both: a-over } }
  vllm: { url: "${url}", models: { o-plain: o-plain, o-number: o-number, o-long: o-long, o-late: o-late, both: ok } }
  studio: { engine: gemini, url: "${studio.url}", key: { env: KEY }, models: [g-over] }
  amazon: { engine: bedrock, url: "${bedrock.url}", region: us-east-1, key: { env: KEY }, models: { b-limit: us.maker.b-limit-v1:0, b-plain: us.maker.b-plain-v1:0 } }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await Promise.all([studio.close(), bedrock.close()]);
  plain.close();
  plain.closeAllConnections();
});

const PATHS = ["chat/completions", "messages", "responses"] as const;

async function ask(path: (typeof PATHS)[number], model: string): Promise<{ status: number; text: string }> {
  const said = path === "responses" ? { input: "Hi" } : { messages: [{ role: "user", content: "Hi" }] };
  const body = JSON.stringify({ model, stream: true, max_tokens: 9, ...said });
  const answer = await fetch(`${server.origin}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: path === "responses" ? body.replace('"max_tokens":9,', "") : body,
  });
  return { status: answer.status, text: await answer.text() };
}

/** The words of an error answer, in whichever of the shapes. */
function wordsOf(text: string): string {
  return (JSON.parse(text) as { readonly error: { readonly message: string } }).error.message;
}

describe("an error event of an upstream", () => {
  for (const path of PATHS) {
    it(`before content is an error answer with its words and the status that it names, at ${path}`, async () => {
      const cases: readonly (readonly [string, number, string])[] = [
        ["a-limit", 429, "mock: slow down"],
        ["a-over", 529, "mock: busy"],
        ["o-number", 400, "mock: too long a prompt"],
        ["g-over", 503, "mock: busy"],
        ["b-limit", 429, "mock: slow down"],
      ];
      for (const [model, status, words] of cases) {
        const seen = await ask(path, model);
        assert.deepEqual([seen.status, wordsOf(seen.text)], [status, words], model);
      }
    });

    it(`that names no status is 502 with its words, at ${path}`, async () => {
      for (const [model, words] of [
        ["a-plain", /mock: oh no/],
        ["o-plain", /mock: oh no/],
        ["b-plain", /mock: slow down/],
      ] as const) {
        const seen = await ask(path, model);
        assert.equal(seen.status, 502, model);
        assert.match(wordsOf(seen.text), words);
      }
    });

    it(`after content ends the stream with its words, at ${path}`, async () => {
      for (const [model, words] of [
        ["a-late", "mock: busy"],
        ["o-late", "mock: oh no"],
      ] as const) {
        const { status, text } = await ask(path, model);
        assert.equal(status, 200);
        assert.match(text, /Hello\./);
        const last = text.trim().split("\n\n").at(-1) ?? "";
        assert.match(last, /error/);
        assert.ok(last.includes(words), last);
      }
    });
  }

  it("is told within bounds, and not where it speaks of the server's own key", async () => {
    const { status, text } = await ask("chat/completions", "o-long");
    assert.equal(status, 502);
    assert.match(text, /too long x/);
    assert.ok(text.length < 1000 && !text.includes("the-end"));
    const refused = await ask("chat/completions", "a-key");
    assert.equal(refused.status, 502);
    assert.match(refused.text, /upstream_unauthorized/);
    assert.doesNotMatch(refused.text, /sk-secret|mock:/);
  });

  it("before content lets another backend answer", async () => {
    const before = asked.length;
    for (let round = 0; round < 2 || !asked.slice(before).includes("a-over"); round += 1) {
      assert.ok(round < 50, "the backend that fails was never tried");
      const { status, text } = await ask("chat/completions", "both");
      assert.deepEqual([status, /Hello\./.test(text)], [200, true]);
    }
  });
});
