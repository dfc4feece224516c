import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { send } from "../../test/engine-conformance/subject.ts";
import { until } from "../../test/until.ts";
import { TINY_MODEL_NAME, writeTinyModel } from "./embedded/tiny-model.ts";
import { LlamaEngine } from "./embedded-engine.ts";
import { GovernedEngine } from "./governed-engine.ts";
import { MemoryGovernor } from "./memory-governor.ts";

const dir = mkdtempSync(join(tmpdir(), "governed-"));
const modelPath = join(dir, "tiny.gguf");
writeTinyModel(modelPath);
after(() => rmSync(dir, { recursive: true }));

const short = { model: TINY_MODEL_NAME, more: { max_tokens: 4, seed: 1 } };
// Runs until its context is full.
const long = { model: TINY_MODEL_NAME, more: { max_tokens: 3500, seed: 14 } };

/** An engine of a model that counts as `bytes`, and what it said of itself. */
function governed(governor: MemoryGovernor, path = modelPath) {
  const said: string[] = [];
  const engine = new GovernedEngine({
    governor,
    bytes: 6,
    contextTokens: 4096,
    make: (onReport) =>
      new LlamaEngine({
        modelPath: path,
        socketDir: join(dir, "run"),
        sequences: 2,
        threads: 1,
        maxAnswerBytes: 1e6,
        onLoss: "refuse",
        onReport,
      }),
    onReport: (report) => said.at(-1) !== report.state && said.push(report.state),
  });
  return { engine, said };
}

test("two models that do not fit together take turns, and no request is cut", { timeout: 60_000 }, async () => {
  const governor = new MemoryGovernor(10);
  const [one, two] = [governed(governor), governed(governor)];
  assert.notEqual(await one.engine.start(), null);
  assert.equal(await two.engine.start(), null, "there is no room for the second");
  assert.equal(two.engine.pid, null);
  assert.deepEqual(
    await two.engine.probe(),
    { state: "up", models: null, contextTokens: 4096 },
    "it takes requests all the same",
  );
  const running = send(one.engine, long);
  await running.sink.seen("first");
  const waiting = send(two.engine, short);
  assert.equal((await two.engine.probe()).state, "starting");
  assert.equal((await one.engine.probe()).state, "starting", "it takes no more, so that the other gets its turn");
  assert.ok((await running.sink.success()).made.contentPieces > 100);
  await waiting.sink.success();
  await until("the first has left", () => one.engine.pid === null);
  assert.ok(governor.usedBytes <= 10);
  // And back again.
  await send(one.engine, short).sink.success();
  await until("the second has left", () => two.engine.pid === null);
  assert.deepEqual(one.said.slice(0, 6), ["up", "starting", "up", "starting", "up"]);
  await Promise.all([one.engine.close(), two.engine.close()]);
  assert.equal(governor.usedBytes, 0);
});

test("a request that waits for a model keeps to its watch, and may be aborted", { timeout: 60_000 }, async () => {
  const governor = new MemoryGovernor(10);
  const [one, two] = [governed(governor), governed(governor)];
  await one.engine.start();
  const running = send(one.engine, long);
  await running.sink.seen("first");
  const late = send(two.engine, short, { watch: { headersMs: 30 } });
  const total = send(two.engine, short, { watch: { totalMs: 40 } });
  const left = send(two.engine, short);
  assert.deepEqual(left.call.abort(), { reported: null, outputText: "", contentPieces: 0 });
  assert.equal((await late.sink.failure()).code, "upstream_headers_timeout");
  assert.equal((await total.sink.failure()).code, "upstream_total_timeout");
  const limited = send(two.engine, short);
  limited.call.limit(10);
  assert.equal((await limited.sink.failure()).code, "upstream_total_timeout");
  running.call.abort();
  await Promise.all([one.engine.close(), two.engine.close()]);
  assert.deepEqual(left.sink.calls, []);
});

test("a model that cannot be loaded fails its requests and frees its place", { timeout: 60_000 }, async () => {
  const governor = new MemoryGovernor(10);
  const wrongPath = join(dir, "wrong.gguf");
  writeFileSync(wrongPath, "no model");
  const { engine, said } = governed(governor, wrongPath);
  assert.equal((await send(engine, short).sink.failure()).code, "upstream_unreachable");
  assert.equal(governor.usedBytes, 0);
  assert.deepEqual(said, ["starting", "down", "up"]);
  assert.equal((await send(engine, short).sink.failure()).code, "upstream_unreachable", "the next one tries again");
  await engine.close();
  assert.equal((await send(engine, short).sink.failure()).code, "upstream_unreachable");
});

test("retiring lets what runs end, and takes nothing more", { timeout: 60_000 }, async () => {
  const governor = new MemoryGovernor(10);
  const { engine } = governed(governor);
  // It has been idle before.
  await send(engine, short).sink.success();
  const running = send(engine, long);
  await running.sink.seen("first");
  const retired = engine.retire();
  assert.ok((await running.sink.success()).made.contentPieces > 100);
  await retired;
  assert.equal(engine.pid, null);
  assert.equal((await send(engine, short).sink.failure()).code, "upstream_unreachable");
});

test("retiring lets what waits for the model end too", { timeout: 60_000 }, async () => {
  const governor = new MemoryGovernor(10);
  const { engine } = governed(governor);
  const waiting = send(engine, short);
  const retired = engine.retire();
  await waiting.sink.success();
  await retired;
  assert.equal(engine.pid, null);
  assert.equal(governor.usedBytes, 0);
});
