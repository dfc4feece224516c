import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { unknownModel, unknownObservation } from "../base/engine-observation.ts";
import { present } from "../base/assert.ts";
import type { EngineReport } from "../ports/engine.ts";
import { engineConformance } from "../../test/engine-conformance/suite.ts";
import { type Ask, type CaseName, send, type Skip, type Subject } from "../../test/engine-conformance/subject.ts";
import { until } from "../../test/until.ts";
import { ask as askChild } from "./embedded/test-client.ts";
import { TINY_MODEL_NAME, writeTinyModel } from "./embedded/tiny-model.ts";
import { LlamaEngine, type LlamaOptions } from "./embedded-engine.ts";

const dir = mkdtempSync(join(tmpdir(), "llama-"));
const modelPath = join(dir, "tiny.gguf");
writeTinyModel(modelPath);
after(() => rmSync(dir, { recursive: true }));

const CONTEXT_TOKENS = 4096;
let runs = 0;

/** An engine that is not started, and the directory of its socket. */
function newEngine(more: Partial<LlamaOptions> = {}): { readonly engine: LlamaEngine; readonly socketDir: string } {
  runs += 1;
  const socketDir = join(dir, `run-${runs}`);
  const base = {
    modelPath,
    sequences: 2,
    contextTokens: CONTEXT_TOKENS,
    maxAnswerBytes: 1024 * 1024,
    onLoss: "refuse",
  } as const;
  return { engine: new LlamaEngine({ ...base, socketDir, onReport: () => {}, ...more }), socketDir };
}

async function started(more: Partial<LlamaOptions> = {}): Promise<Subject> {
  const { engine, socketDir } = newEngine(more);
  await engine.start();
  const socketPath = join(socketDir, present(readdirSync(socketDir)[0], "the child listens on a socket"));
  return {
    engine,
    // The child counts its requests and does not name them; the suite's checks come one after another.
    isBusyUpstream: async () => ((await askChild(socketPath, "/healthz")).body.busy ?? 0) > 0,
    sentBytes: () => null,
    close: () => engine.close(),
  };
}

const fails: Skip = {
  skip: "llama.cpp in its child cannot be made to fail so; the same adapter is tested over the mock",
};
const calm: Skip = { skip: "the child never falls silent in the middle of an answer" };
const complete: Ask = { model: TINY_MODEL_NAME, more: { max_tokens: 40, seed: 5 } };
// This seed's answer is the longest of many: above half a second.
const long: Ask = { model: TINY_MODEL_NAME, more: { max_tokens: 3500, seed: 14 } };

const MODELS: Readonly<Record<CaseName, Ask | Skip>> = {
  complete,
  endless: long,
  large: long,
  echo: { skip: "the child answers with words of its own and never with the body" },
  withoutUsage: { skip: "the child reports usage whenever it is asked to" },
  withoutDone: { skip: "the child always ends with [DONE]" },
  silent: calm,
  headersOnly: calm,
  commentsOnly: calm,
  stalls: calm,
  failsBeforeHeaders: fails,
  failsBeforeContent: fails,
  failsMidStream: fails,
  failsByEndingEarly: fails,
  failsByEndingEmpty: fails,
  failsByErrorEvent: fails,
  failsByErrorEventFirst: fails,
  failsByNotJson: fails,
  failsByHtml: fails,
  failsByErrorWithStatus200: fails,
  failsWith400: { model: TINY_MODEL_NAME, more: { temperature: "hot" } },
  failsWith401: fails,
  failsWith429Seconds: fails,
  failsWith429Date: fails,
  failsWith500: fails,
};

engineConformance({
  name: "llama.cpp in its child",
  make: () => started(),
  models: MODELS,
  unreachable: () => newEngine().engine,
  unconnectable: { skip: "a socket on this machine stands at once or not at all" },
  limited: { skip: "its adapter is the one that is tested over the mock, and a start of the child takes a second" },
  report: {
    state: "up",
    models: null,
    contextTokens: CONTEXT_TOKENS,
    observation: {
      ...unknownObservation("llamacpp"),
      maxConcurrent: 2,
      contextTokens: CONTEXT_TOKENS,
      models: [
        {
          ...unknownModel(TINY_MODEL_NAME),
          architecture: "llama",
          contextTokens: CONTEXT_TOKENS,
          quantization: "F16",
          sizeBytes: statSync(modelPath).size,
          modalities: ["text"],
          state: "loaded",
        },
      ],
    },
  },
});

test("a whole answer is watched too, and a child that is killed ends its streams, says so, and comes back", async () => {
  const reports: EngineReport["state"][] = [];
  const { engine } = newEngine({ onReport: (report) => reports.push(report.state) });
  await engine.start();
  // A whole answer's headers come when it is complete, so that they are what is watched.
  const late = send(engine, long, { stream: false, watch: { headersMs: 60 } });
  assert.equal((await late.sink.failure()).code, "upstream_headers_timeout");
  reports.length = 0;
  const { sink } = send(engine, long);
  await sink.seen("first");
  process.kill(present(engine.pid, "the child runs"), "SIGKILL");
  const failure = await sink.failure();
  assert.equal(failure.code, "upstream_broken");
  assert.ok(failure.made.outputText.length > 0);
  await until(
    "the child is up again",
    async () => reports.includes("starting") && (await engine.probe()).state === "up",
  );
  await send(engine, complete).sink.success();
  assert.equal(reports.at(-1), "up");
  assert.ok(!reports.includes("down"), "one crash is a restart, not a fault that stays");
  await engine.close();
});
