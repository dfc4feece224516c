import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { FakeEngine } from "../engines/fake-engine.ts";
import { newest, observationOf } from "../engines/fixtures.ts";
import { until } from "../until.ts";
import { readJson } from "../gateway-suite/reading.ts";
import { chat } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const fakes = { vllm: await FakeEngine.start(newest("vllm")), llamacpp: await FakeEngine.start(newest("llamacpp")) };
const folder = new Folder();
after(async () => {
  await fakes.vllm.close();
  await fakes.llamacpp.close();
  folder[Symbol.dispose]();
});

const CONFIG = `version: 1
backends:
  pool:
    engine: vllm
    url: ${fakes.vllm.baseUrl}
    models:
      small: Qwen/Qwen3-0.6B
      support: { model: Qwen/Qwen3-0.6B, lora: support, dataParallelRank: 1 }
  found:
    engine: auto
    url: ${fakes.llamacpp.baseUrl}
telemetry: { probeIntervalMs: 50 }
`;

interface Shown {
  readonly backendId: string;
  readonly state: string;
  readonly engine: Readonly<Record<string, unknown>> | null;
}

async function backendsOf(server: Baseload): Promise<readonly Shown[]> {
  const response = await fetch(`${server.origin}/api/backends`);
  return ((await response.json()) as { backends: readonly Shown[] }).backends;
}

describe("engines that are known by name", () => {
  it("are asked, shown, metered and journalled; one that stops answering leaves its last word, stale", async () => {
    const journal = join(folder.path, "engines.jsonl");
    await using server = await Baseload.start({ config: CONFIG, args: ["--journal", journal] });
    const engineOf = async (id: string) => (await backendsOf(server)).find(({ backendId }) => backendId === id)?.engine;
    await until("both engines spoke", async () => (await backendsOf(server)).every(({ engine }) => engine !== null));
    const pool = await engineOf("pool");
    const { models, running, waiting, kvTotalTokens } = observationOf(newest("vllm"));
    assert.deepEqual(
      [
        pool?.["kind"],
        pool?.["running"],
        pool?.["waiting"],
        pool?.["kvUsage"],
        pool?.["kvTotalTokens"],
        pool?.["models"],
      ],
      ["vllm", running, waiting, 0.375, kvTotalTokens, models],
    );
    assert.equal((await engineOf("found"))?.["kind"], "llamacpp");
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    assert.match(metrics, /^baseload_backend_engine_running_requests\{backend="pool"\} 44$/m);
    assert.match(metrics, /^baseload_backend_engine_waiting_requests\{backend="found"\} 3$/m);
    assert.match(metrics, /^baseload_backend_engine_observation_stale\{backend="pool"\} 0$/m);

    fakes.vllm.faults.set("/v1/models", "broken");
    await until("the pool's word is stale", async () => (await engineOf("pool"))?.["stale"] === true);
    assert.equal((await engineOf("pool"))?.["running"], running);
    fakes.vllm.faults.delete("/v1/models");
    await until("the pool speaks again", async () => (await engineOf("pool"))?.["stale"] === false);

    const { status, body } = await readJson(chat(server, "support"));
    assert.equal(status, 200, JSON.stringify(body));
    const sent = fakes.vllm.requests.at(-1);
    assert.equal((JSON.parse(sent?.body ?? "{}") as { model: string }).model, "support");
    assert.equal(sent?.headers["x-data-parallel-rank"], "1");

    assert.deepEqual(await server.end(), { code: 0, signal: null });
    const replayed = await runBaseload(["replay", "--exact", journal, "--json"]);
    assert.equal(replayed.code, 0, replayed.output);
  });
});
