/** The suite for every engine, over the adapter and a fake of each kind: as much of it as the fakes can do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ENGINE_KINDS, type EngineKind } from "../../src/base/engine-observation.ts";
import { OpenAiEngine } from "../../src/engines/openai.ts";
import { relayedEnvelope } from "../../src/wire/error.ts";
import { engineConformance } from "../engine-conformance/suite.ts";
import {
  type Ask,
  type CaseName,
  type ConformanceOptions,
  send,
  type Skip,
  type Subject,
} from "../engine-conformance/subject.ts";
import { DIALECTS } from "./dialects.ts";
import { FakeEngine } from "./fake-engine.ts";
import { newest, observationOf } from "./fixtures.ts";

const NOT_FAKED: Skip = {
  skip: "the fakes of kinds do not do this; the mock upstream does, in src/engines/openai.test.ts",
};
const NO_ERROR_MEMBER: Skip = { skip: "this kind's errors have no member `error`" };

const PLAIN = { speaks: ["chat", "completions"], onLoss: "refuse" } as const;

interface Faked extends Subject {
  readonly fake: FakeEngine;
}

async function over(kind: EngineKind, maxAnswerBytes = 8 * 1024 * 1024): Promise<Faked> {
  const fake = await FakeEngine.start(newest(kind));
  const options = { ...PLAIN, socketPath: null, key: null, headers: {}, maxAnswerBytes, discoverModels: false, kind };
  const engine = new OpenAiEngine({ ...options, url: fake.baseUrl });
  const recordOf = (id: string) => fake.requests.find(({ headers }) => headers["x-request-id"] === id);
  return {
    fake,
    engine,
    isBusyUpstream: (id) => Promise.resolve(recordOf(id)?.isOpen === true),
    sentBytes: (id) => recordOf(id)?.sentBytes ?? null,
    close: async () => {
      await engine.close();
      await fake.close();
    },
  };
}

function modelsOf(kind: EngineKind): ConformanceOptions["models"] {
  const faked: Partial<Record<CaseName, Ask | Skip>> = {
    complete: { model: "ok" },
    endless: { model: "endless" },
    echo: { model: "echo" },
    withoutUsage: { model: "no-usage" },
    silent: { model: "silent" },
    failsWith400: "object" in (DIALECTS[kind].error(400, "") as object) ? NO_ERROR_MEMBER : { model: "error-400" },
    failsWith401: { model: "error-401" },
    failsWith500: { model: "error-500" },
  };
  return new Proxy(faked, { get: (of, name) => of[name as CaseName] ?? NOT_FAKED }) as ConformanceOptions["models"];
}

for (const kind of ENGINE_KINDS) {
  const observation = observationOf(newest(kind));
  engineConformance({
    name: `a fake ${kind}`,
    make: () => over(kind),
    models: modelsOf(kind),
    unreachable: () =>
      new OpenAiEngine({
        ...PLAIN,
        url: "http://127.0.0.1:9/v1",
        socketPath: null,
        key: null,
        headers: {},
        maxAnswerBytes: 1000,
        discoverModels: false,
        kind,
      }),
    unconnectable: NOT_FAKED,
    limited: (maxAnswerBytes) => over(kind, maxAnswerBytes),
    report: {
      state: "up",
      models: null,
      contextTokens: observation.contextTokens,
      ...(kind === "openai" ? {} : { observation }),
    },
  });

  describe(`the words of a fake ${kind}`, () => {
    test("a busy engine's answer is an upstream error with its status, kept for the client", async () => {
      const subject = await over(kind);
      const failure = await send(subject.engine, { model: "busy" }).sink.failure();
      const { status, message } = DIALECTS[kind].busy;
      assert.deepEqual([failure.code, failure.status, failure.relay?.status], ["upstream_error", status, status]);
      assert.ok(failure.relay?.body.toString().includes(message));
      await subject.close();
    });

    test("its errors reach the client in OpenAI's shape, with the engine's own words", async () => {
      const subject = await over(kind);
      const { relay } = await send(subject.engine, { model: "error-400" }).sink.failure();
      const shown = relayedEnvelope(400, relay?.body ?? Buffer.of()) as { error: { message: string } };
      assert.equal(shown.error.message, "It cannot be done.");
      await subject.close();
    });

    test("what was cached is known only where the engine's word can be taken", async () => {
      const subject = await over(kind);
      const { made } = await send(subject.engine, { model: "ok" }, { edits: { forceUsage: true } }).sink.success();
      const whole = await send(subject.engine, { model: "ok" }, { stream: false }).sink.success();
      const cached = kind === "llamacpp" ? 11 : null;
      for (const { reported } of [made, whole.made]) {
        assert.deepEqual([reported?.inputTokens, reported?.outputTokens, reported?.cachedInputTokens], [12, 4, cached]);
      }
      await subject.close();
    });

    test("an address goes out as members of the body and as headers, and nothing else changes", async () => {
      const subject = await over(kind);
      const address = { members: { lora: '[{"id":0,"scale":0.5}]' }, headers: { "x-data-parallel-rank": "2" } };
      const { sink, order } = send(subject.engine, { model: "ok" }, { edits: { address } });
      await sink.success();
      const [request] = subject.fake.requests;
      assert.equal(request?.headers["x-data-parallel-rank"], "2");
      assert.equal(request.body, `{"lora":[{"id":0,"scale":0.5}],${order.body.toString().slice(1)}`);
      await subject.close();
    });
  });
}

test("a request that is converted on its way is addressed too", async () => {
  const subject = await over("llamacpp");
  const address = { members: { lora: '[{"id":1,"scale":1}]' }, headers: { "x-data-parallel-rank": "0" } };
  const body = Buffer.from('{"model":"ok","input":"Hello"}');
  const change = { endpoint: "responses", stream: false, body, edits: { address } } as const;
  await send(subject.engine, { model: "ok" }, change).sink.success();
  const [request] = subject.fake.requests;
  const sent = JSON.parse(request?.body ?? "{}") as Record<string, unknown>;
  assert.deepEqual(
    [sent["lora"], sent["model"], request?.headers["x-data-parallel-rank"]],
    [[{ id: 1, scale: 1 }], "ok", "0"],
  );
  await subject.close();
});
