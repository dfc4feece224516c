import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { awsEvent } from "../../test/clouds/aws-frames.ts";
import { startFakeBedrock } from "../../test/clouds/fake-bedrock.ts";
import { startFakeGemini } from "../../test/clouds/fake-gemini.ts";
import { FakeTokenEndpoint } from "../../test/clouds/fake-token-endpoint.ts";
import type { FakeUpstream } from "../../test/clouds/fake-upstream.ts";
import { engineConformance } from "../../test/engine-conformance/suite.ts";
import {
  type Ask,
  type CaseName,
  type ConformanceOptions,
  send,
  type Skip,
  type Subject,
} from "../../test/engine-conformance/subject.ts";
import { startMute } from "../../test/fakes/mute-server.ts";
import { until } from "../../test/until.ts";
import type { Engine } from "../ports/engine.ts";
import { BedrockEngine, type BedrockOptions } from "./bedrock.ts";
import type { TokenSource } from "./dialect.ts";
import { GeminiEngine, type GeminiOptions, VertexEngine, type VertexOptions } from "./gemini.ts";
import { ServiceAccountTokens } from "./google-token.ts";
import type { UpstreamOptions } from "./http-engine.ts";

const COMMON = {
  url: "http://127.0.0.1:9",
  socketPath: null,
  headers: {},
  maxAnswerBytes: 8 * 1024 * 1024,
  discoverModels: true,
  onLoss: "refuse",
} as const;
const CREDENTIALS = { accessKeyId: "AKID", secretAccessKey: "secret", sessionToken: "session" };

const gemini = (change: Partial<GeminiOptions> = {}): GeminiEngine =>
  new GeminiEngine({ ...COMMON, key: "the-key", ...change });
const bedrock = (change: Partial<BedrockOptions> = {}): BedrockEngine =>
  new BedrockEngine({
    ...COMMON,
    region: "us-east-1",
    auth: { kind: "credentials", credentials: CREDENTIALS },
    ...change,
  });
const FIXED: TokenSource = { current: () => "t1", fetch: () => Promise.resolve("t1") };
const vertex = (change: Partial<VertexOptions> = {}): VertexEngine =>
  new VertexEngine({ ...COMMON, project: "p-1", location: "global", tokens: FIXED, ...change });

const CASES: readonly CaseName[] = [
  ...(["complete", "endless", "large", "withoutUsage", "withoutDone", "silent", "headersOnly"] as const),
  ...(["commentsOnly", "stalls", "failsBeforeHeaders", "failsBeforeContent", "failsMidStream"] as const),
  ...(["failsByEndingEarly", "failsByEndingEmpty", "failsByErrorEvent", "failsByErrorEventFirst"] as const),
  ...(["failsByNotJson", "failsByHtml", "failsByErrorWithStatus200", "failsWith400", "failsWith401"] as const),
  ...(["failsWith429Seconds", "failsWith429Date", "failsWith500"] as const),
];

interface Service {
  readonly name: string;
  readonly fake: () => Promise<FakeUpstream>;
  readonly engine: (change: Partial<UpstreamOptions>) => Engine;
  readonly modelOf: (name: CaseName) => string;
  readonly models: readonly string[] | null;
}

function conformanceOf(service: Service): ConformanceOptions {
  const subjectOver = async (change: Partial<UpstreamOptions> = {}): Promise<Subject> => {
    const fake = await service.fake();
    const engine = service.engine({ url: fake.url, ...change });
    const seen = (id: string) => fake.requests.find(({ headers }) => headers["x-request-id"] === id);
    return {
      engine,
      isBusyUpstream: (id) => Promise.resolve(seen(id)?.isOpen === true),
      sentBytes: (id) => seen(id)?.sentBytes ?? null,
      close: async () => {
        await engine.close();
        await fake.close();
      },
    };
  };
  const models = Object.fromEntries(CASES.map((name) => [name, { model: service.modelOf(name) }]));
  return {
    name: service.name,
    make: () => subjectOver(),
    models: {
      ...models,
      echo: { skip: "the body is printed anew in another shape, so that no byte of it is as it came" },
    } as Record<CaseName, Ask | Skip>,
    completions: { skip: "its API has no text completions" },
    unreachable: () => service.engine({}),
    unconnectable: async () => {
      const mute = await startMute();
      const engine = service.engine({ url: `https://127.0.0.1:${mute.port}` });
      return {
        engine,
        isBusyUpstream: () => Promise.resolve(false),
        sentBytes: () => null,
        close: async () => {
          await engine.close();
          mute.close();
        },
      };
    },
    limited: (maxAnswerBytes) => subjectOver({ maxAnswerBytes }),
    report: { state: "up", models: service.models, contextTokens: null },
  };
}

engineConformance(
  conformanceOf({
    name: "Gemini by AI Studio",
    fake: () => startFakeGemini({ auth: { key: "the-key" } }),
    engine: gemini,
    modelOf: (name) => name,
    models: ["gemini-fake", "embedding-fake"],
  }),
);
engineConformance(
  conformanceOf({
    name: "Gemini by Vertex AI",
    fake: () => startFakeGemini({ auth: { tokens: () => ["t1"], project: "p-1" } }),
    engine: vertex,
    modelOf: (name) => name,
    models: null,
  }),
);
engineConformance(
  conformanceOf({
    name: "Bedrock",
    fake: () => startFakeBedrock({ credentials: CREDENTIALS, region: "us-east-1" }),
    engine: bedrock,
    modelOf: (name) => `arn:aws:bedrock:us-east-1:1:inference-profile/us.maker.${name}-v1:0`,
    models: null,
  }),
);

describe("errors of the clouds", () => {
  test("a wrong key of AI Studio, which it answers with status 400, is known as one", async () => {
    const fake = await startFakeGemini({ auth: { key: "other" } });
    const engine = gemini({ url: fake.url });
    const wrongKey = await send(engine, { model: "complete" }).sink.failure();
    assert.deepEqual([wrongKey.code, wrongKey.status], ["upstream_unauthorized", 400]);
    await engine.close();
    await fake.close();
  });

  test("Bedrock takes an API key as well", async () => {
    const fake = await startFakeBedrock({ key: "bedrock-key" });
    const good = bedrock({ url: fake.url, auth: { kind: "key", key: "bedrock-key" } });
    await send(good, { model: "maker.complete-v1:0" }).sink.success();
    const wrong = bedrock({ url: fake.url });
    const failure = await send(wrong, { model: "maker.complete-v1:0" }).sink.failure();
    assert.equal(failure.code, "upstream_unauthorized");
    await Promise.all([good.close(), wrong.close(), fake.close()]);
  });

  test("a damaged event fails the attempt and not the process", async () => {
    const fake = await startFakeBedrock({ key: "bedrock-key" });
    const engine = bedrock({ url: fake.url, auth: { kind: "key", key: "bedrock-key" } });
    const whole = awsEvent("messageStart", { role: "assistant" });
    const damaged = Buffer.from(awsEvent("contentBlockDelta", { delta: { text: "Hi" }, contentBlockIndex: 0 }));
    damaged[damaged.length - 10] = 0;
    fake.scripts.set("damaged", { events: [whole, damaged], whole: {} });
    const failure = await send(engine, { model: "maker.damaged-v1:0" }).sink.failure();
    assert.deepEqual([failure.code, failure.status], ["upstream_bad_response", 200]);
    assert.match(failure.detail, /checksum/);
    fake.scripts.set("text", { events: [Buffer.from("data: hello\n\ndata: world\n\n")], whole: {} });
    const other = await send(engine, { model: "maker.text-v1:0" }).sink.failure();
    assert.equal(other.code, "upstream_bad_response");
    await Promise.all([engine.close(), fake.close()]);
  });

  test("what a backend's API has no word for is refused, or dropped and named", async () => {
    const fake = await startFakeGemini({ auth: { key: "the-key" } });
    const more = { logit_bias: { 5: 1 }, user: "u" };
    const [strict, lax] = [gemini({ url: fake.url }), gemini({ url: fake.url, onLoss: "drop" })];
    const refused = await send(strict, { model: "complete", more }).sink.failure();
    assert.equal(refused.code, "not_expressible");
    assert.match(refused.told ?? "", /logit_bias/);
    const { sink } = send(lax, { model: "complete", more });
    await sink.success();
    assert.deepEqual(sink.calls[0], { kind: "dropped", members: ["user", "logit_bias"] });
    assert.equal(fake.requests.length, 1);
    const text = await send(lax, { model: "complete" }, { endpoint: "completions" }).sink.failure();
    assert.equal(text.code, "not_expressible");
    await Promise.all([strict.close(), lax.close(), fake.close()]);
  });
});

describe("tokens of a service account", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  let fake: FakeUpstream;
  let endpoint: FakeTokenEndpoint;
  before(async () => {
    endpoint = await FakeTokenEndpoint.start(publicKey);
    fake = await startFakeGemini({ auth: { tokens: () => endpoint.given, project: "p-1" } });
  });
  after(async () => {
    await endpoint.close();
    await fake.close();
  });
  const account = () => ({ clientEmail: "robot@p-1", privateKey: pem, privateKeyId: "k1", tokenUrl: endpoint.url });

  test("sends at once share one exchange, and the token is used until shortly before it expires", async () => {
    let nowMs = Date.now();
    const tokens = new ServiceAccountTokens(account(), () => nowMs);
    const engine = vertex({ url: fake.url, tokens });
    const sinks = Array.from({ length: 5 }, () => send(engine, { model: "complete" }).sink);
    await Promise.all(sinks.map((sink) => sink.success()));
    assert.equal(endpoint.given.length, 1);
    const claims = endpoint.claims[0] ?? {};
    assert.deepEqual([claims["iss"], claims["aud"]], ["robot@p-1", endpoint.url]);
    nowMs += 3_400_000;
    await send(engine, { model: "complete" }).sink.success();
    await until("it was renewed beside", () => endpoint.given.length === 2);
    await until("the new one is used", () => tokens.current() === endpoint.given[1]);
    nowMs += 4_000_000;
    await send(engine, { model: "complete" }).sink.success();
    assert.equal(endpoint.given.length, 3);
    await engine.close();
  });

  test("who waits for a token waits within the watch of a connection, and may leave", async () => {
    const engine = vertex({ url: fake.url, tokens: new ServiceAccountTokens(account()) });
    endpoint.hold();
    const seen = fake.requests.length;
    const late = send(engine, { model: "complete" }, { watch: { connectMs: 60 } });
    const left = send(engine, { model: "complete" });
    left.call.abort();
    assert.equal((await late.sink.failure()).code, "upstream_connect_timeout");
    const patient = send(engine, { model: "complete" });
    const retired = engine.retire();
    endpoint.release();
    await patient.sink.success();
    await retired;
    assert.deepEqual(left.sink.calls, []);
    assert.deepEqual(late.sink.kinds, ["failed"]);
    assert.equal(fake.requests.length, seen + 1, "those that were over were not sent");
    await engine.close();
  });

  test("closing ends at once what waits for a token", async () => {
    const engine = vertex({ url: fake.url, tokens: new ServiceAccountTokens(account()) });
    const given = endpoint.given.length;
    endpoint.hold();
    const { sink } = send(engine, { model: "complete" });
    await engine.close();
    assert.equal((await sink.failure()).code, "upstream_broken");
    endpoint.release();
    await until("the exchange has ended all the same", () => endpoint.given.length > given);
    assert.deepEqual(sink.kinds, ["failed"]);
  });

  test("a token that is not given fails the send as unauthorized, and an endpoint that is not there as unreachable", async () => {
    endpoint.refuseNext();
    const engine = vertex({ url: fake.url, tokens: new ServiceAccountTokens(account()) });
    const refused = await send(engine, { model: "complete" }).sink.failure();
    assert.deepEqual([refused.code, refused.status], ["upstream_unauthorized", null]);
    await send(engine, { model: "complete" }).sink.success();
    const gone = new ServiceAccountTokens({ ...account(), tokenUrl: "http://127.0.0.1:9/token" });
    const lost = vertex({ url: fake.url, tokens: gone });
    assert.equal((await send(lost, { model: "complete" }).sink.failure()).code, "upstream_unreachable");
    await Promise.all([engine.close(), lost.close()]);
  });
});
