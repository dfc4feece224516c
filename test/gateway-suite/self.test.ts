import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import OpenAI from "openai";
import { FullPort } from "../scenarios/lib/full-port.ts";
import { MOCK_MODELS, TOOL_CALLS } from "../upstream/behaviours.ts";
import { PIECES, USAGE, ZERO_USAGE } from "../upstream/chunks.ts";
import { connectMock, startMock } from "../upstream/mock-upstream.ts";
import type { RecordedRequest } from "../upstream/mock-upstream.ts";
import { FEATURES, ask, until } from "./check.ts";
import type { Asking, Feature } from "./check.ts";
import { SseReader } from "./client.ts";
import { canonical, duplicateKeys } from "./json-text.ts";
import { startProxy } from "./proxy.ts";
import type { Fault } from "./proxy-options.ts";
import { readError, readJson, readStream, readToContent } from "./reading.ts";
import { checks, contextOf, gatewaySuite } from "./suite.ts";

const features = new Set(Object.keys(FEATURES) as Feature[]);
const timersMs = 2000;

const mock = await startMock();
const deaf = FullPort.isPossible ? await FullPort.open() : null;
if (deaf === null) features.delete("connect-timer");
const toMock = { upstream: mock.baseUrl, ...(deaf === null ? {} : { deafPort: deaf.port }) };
const rightProxy = await startProxy({ ...toMock, timersMs, faults: new Set() });
after(async () => {
  await rightProxy.close();
  await deaf?.[Symbol.asyncDispose]();
  await mock.close();
});

// A check that cannot pass says nothing when it fails.
gatewaySuite({
  name: "a proxy without faults",
  baseUrl: rightProxy.baseUrl,
  upstream: mock,
  features,
  timersMs,
  usageOf: rightProxy.usageOf,
});

/** Each fault, the checks that have to notice it, and what they have to say, so that none fails for another reason. */
const NOTICED_BY: Readonly<Record<Fault, Readonly<Record<string, RegExp>>>> = {
  buffers: { "1": /waited \d+ ms for the response's headers/ },
  "no-cache-control": { "2": /cache-control/ },
  "hands-on-hop-headers": { "2": /named in `connection`/ },
  "leaks-usage": { "3": /not asked: usage that was not asked for/ },
  "hides-usage": { "3": /asked: chunks with usage/, "4": /ok streamed: chunks with usage/ },
  "invents-usage": { "4": /ok whole: usage/, e: /ok-zero-usage streamed: usage/ },
  "replaces-zero": { e: /ok-zero-usage streamed: usage[^]*ok-zero-usage whole: usage/ },
  "ignores-leaving": {
    "5": /quiet: the upstream's connection stayed open/,
    "6": /whole answer, slow: the upstream's connection stayed open/,
    f: /^cancel: the upstream's connection stayed open/,
  },
  "rewords-limits": {
    "7": /rate-limited streamed: error.message/,
    "17": /in seconds, one backend: retry-after/,
  },
  "hands-on-pages": { "8": /error-500-html streamed: [^]*content-type/ },
  "ends-clean": { "9": /dies-mid-stream: a clean end without/, b: /ends-early: a clean end without/ },
  "done-after-error": { "9": /dies-mid-stream: the number of \[DONE\]/, b: /error-in-stream: the number of \[DONE\]/ },
  "breaks-silently": { b: /dies-mid-stream: error events/ },
  "no-timers": { "10": /waited \d+ ms for the next event/, "11": /silent-comments streamed: waited/ },
  "no-total": { c: /^total: the answer went on/ },
  "one-code": { c: /stages that share a code: / },
  "comments-count": { c: /^comments are no first token: code/ },
  "bad-body-is-500": { "12": /cut off: status 500, not 400/ },
  "leaks-upstream-id": { "13": /none given, whole: the upstream's own id/ },
  "keeps-id": { "13": /given, whole: the id forwarded/ },
  "parses-and-prints": { "14": /whole: the parameter seed was changed/ },
  "drops-params": { "14": /whole: the parameter seed was dropped/ },
  "doubles-keys": { "14": /streamed, empty stream_options: keys twice/ },
  "streams-by-default": { "15": /omitted: content-type/ },
  "no-backpressure": { "16": /bytes that the client had not read|never stood still/ },
  "head-too-early": { a: /dies-before-content streamed: status 200/ },
  "sends-again": { g: /dies-mid-stream: requests that reached the upstream/ },
  "ignores-pauses": { "17": /in seconds, another fits: called again/ },
  "ignores-dates": { "17": /^as a date, another fits: called again/ },
  "pauses-for-ever": { "17": /in seconds, another fits: the backend[^]* was not called/ },
  "forgets-keys": { "18": /the same again, whole: the answer/ },
  "replays-any-body": { "18": /^another body: status 200, not 409/ },
  "serves-in-progress": { "18": /^in progress, whole: waited/ },
  "never-drains": { f: /^drain: the upstream was closed before its end/ },
  "drains-for-ever": { f: /^drain of what does not end: the upstream's connection stayed open/ },
  "estimates-drained": { f: /^drain: usage, exact/ },
};

/** Faults run against slow timers, so that what fails is the check's patience and not the proxy's. */
const SLOW_TIMERS_MS = 20_000;

/** But where the timers themselves are judged: those that are not at fault have to come, and in time. */
const TIMELY_MS = 500;
const TIMELY: ReadonlySet<Fault> = new Set<Fault>(["no-total", "one-code", "comments-count", "drains-for-ever"]);

/** Asks the mock itself, with the suite's own client. */
function askMock(model: string, fields: Readonly<Record<string, unknown>> = {}, patienceMs = 2000): Asking {
  const gateway = { name: "none", baseUrl: mock.baseUrl, upstream: mock, features, patienceMs };
  return ask(
    contextOf(gateway, () => {}),
    model,
    { fields },
  );
}

const ASKED = { stream: true, stream_options: { include_usage: true } };

describe("the mock upstream", () => {
  it("streams as OpenAI does, with usage only when asked", async () => {
    const plain = await readStream(askMock("ok", { stream: true }).exchange);
    assert.equal(plain.content, PIECES.join(""));
    assert.deepEqual([plain.dones, plain.finishes, plain.ending], [1, ["stop"], "clean"]);
    assert.ok(plain.chunks.every((chunk) => !("usage" in chunk)));
    const asked = await readStream(askMock("ok", ASKED).exchange);
    assert.deepEqual(asked.chunks.at(-1)?.usage, USAGE);
    assert.ok(asked.chunks.slice(0, -1).every((chunk) => chunk.usage === null));
  });

  it("is understood by OpenAI's own client, tool calls included", async () => {
    const client = new OpenAI({ baseURL: mock.baseUrl, apiKey: "none", maxRetries: 0 });
    const messages = [{ role: "user", content: "hi" }] as const;
    const runner = client.chat.completions.stream({ model: "tools", messages: [...messages] });
    assert.deepEqual(
      (await runner.finalChatCompletion()).choices[0]?.message.tool_calls?.map((call) => call.id),
      TOOL_CALLS.map((call) => call.id),
    );
    const text = await client.completions.create({ model: "ok", prompt: "hi" });
    assert.equal(text.choices[0]?.text, PIECES.join(""));
    assert.deepEqual(
      (await client.models.list()).data.map((model) => model.id),
      MOCK_MODELS,
    );
  });

  it("gives every failing behaviour its own shape", async () => {
    const outcomes: Record<string, unknown> = {};
    for (const model of [
      "dies-mid-stream",
      "ends-early",
      "no-done",
      "error-in-stream-done",
      "dies-before-content",
      "ends-empty",
    ]) {
      const { ending, dones, errors, finishes, content } = await readStream(askMock(model, { stream: true }).exchange);
      outcomes[model] = [ending, dones, errors.length, finishes.length, content.length];
    }
    const [three, all] = [PIECES.slice(0, 3).join("").length, PIECES.join("").length];
    assert.deepEqual(outcomes, {
      "dies-mid-stream": ["broken", 0, 0, 0, three],
      "ends-early": ["clean", 0, 0, 0, three],
      "no-done": ["clean", 0, 0, 1, all],
      "error-in-stream-done": ["clean", 1, 1, 0, three],
      "dies-before-content": ["broken", 0, 0, 0, 0],
      "ends-empty": ["clean", 0, 0, 0, 0],
    });
  });

  it("reports no usage, zeros, and usage on the last chunk, as named", async () => {
    const usages = async (model: string): Promise<unknown[]> =>
      (await readStream(askMock(model, ASKED).exchange)).chunks.flatMap((chunk) => (chunk.usage ? [chunk.usage] : []));
    assert.deepEqual(await usages("ok-no-usage"), []);
    assert.deepEqual(await usages("ok-zero-usage"), [ZERO_USAGE]);
    assert.deepEqual(await usages("ok-usage-in-last-chunk"), [USAGE]);
  });

  it("records what it received and whether the client left, here and across processes", async () => {
    const { mark, exchange } = askMock("vendor/endless", { stream: true });
    await readToContent(exchange);
    exchange.destroy();
    const remote = connectMock(mock.port);
    const find = async (): Promise<RecordedRequest | undefined> =>
      (await remote.listRequests()).find((record) => record.bodyText.includes(mark) && record.closedAtMs !== null);
    const record = await until(find, { withinMs: 2000, orElse: "the mock did not see the client leave" });
    assert.deepEqual([record.closedEarly, record.ended, record.model], [true, false, "vendor/endless"]);
    assert.equal(record.headers["content-type"], "application/json");
  });

  it("answers an unknown model and a bad body as OpenAI does", async () => {
    await readError(askMock("no-such-model").exchange, [404, 404]);
    await readError(askMock("constructor").exchange, [404, 404]);
    await readError(askMock("ok", { stream: "yes" }).exchange, [400, 400]);
  });
});

describe("the client", () => {
  const bytes = Buffer.from(
    "\ufeff: hello\r\n\r\ndata: é🌍\rdata:b\r\revent: x\ndata: 1\n\n:c\ndata\n\nid: 7\n\ndata: cut off",
  );
  const expected = [{ data: "é🌍\nb" }, { event: "x", data: "1" }, { data: "" }];

  it("reads events whatever the line ends, comments and splits", () => {
    for (let size = 1; size <= bytes.length; size += 1) {
      const reader = new SseReader();
      const events = [];
      for (let at = 0; at < bytes.length; at += size) events.push(...reader.push(bytes.subarray(at, at + size)));
      assert.deepEqual(events, expected, `in parts of ${size} bytes`);
      assert.equal(reader.comments, 2);
    }
  });

  it("loses patience with a server that says nothing", async () => {
    await assert.rejects(readJson(askMock("silent", {}, 200).exchange), { name: "OutOfPatience" });
  });

  it("compares numbers digit by digit and finds keys that stand twice", () => {
    assert.notDeepEqual(canonical("[9007199254740993]"), canonical("[9007199254740992]"));
    assert.deepEqual(canonical(`{"a":1.0, "b":"\\u00e9"}`), canonical(`{"b":"é","a":1}`));
    assert.deepEqual(duplicateKeys(`{"a":{"a":1},"b":["a","a",{"x":"\\"a\\":"}],"\\u0061":2,"b":3}`), ["a", "b"]);
  });
});

describe("every check fails against the mistake that it is there for", () => {
  it("every check has a fault that it notices", () => {
    const covered = new Set(Object.values(NOTICED_BY).flatMap((each) => Object.keys(each)));
    assert.deepEqual(
      checks.map(({ id }) => id).filter((id) => !covered.has(id)),
      [],
    );
  });

  for (const [fault, sayings] of Object.entries(NOTICED_BY) as [Fault, Readonly<Record<string, RegExp>>][]) {
    it(`${fault} is noticed by ${Object.keys(sayings).join(" and ")}`, async () => {
      const proxyTimersMs = TIMELY.has(fault) ? TIMELY_MS : SLOW_TIMERS_MS;
      const proxy = await startProxy({ ...toMock, timersMs: proxyTimersMs, faults: new Set([fault]) });
      const gateway = {
        name: fault,
        baseUrl: proxy.baseUrl,
        upstream: mock,
        features,
        timersMs: TIMELY_MS,
        patienceMs: 1000,
        usageOf: proxy.usageOf,
      };
      try {
        for (const check of checks) {
          const saying = sayings[check.id];
          if (saying)
            await assert.rejects(check.run(contextOf(gateway, () => {})), { message: saying }, `check ${check.id}`);
        }
      } finally {
        await proxy.close();
      }
    });
  }
});
