import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { writeTinyModel } from "../../src/engines/embedded/tiny-model.ts";
import { ROOT } from "../../scripts/serve-for.ts";
import { readJson } from "../gateway-suite/reading.ts";
import { until } from "../until.ts";
import { chat } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";
import { processesWith } from "./lib/tiny.ts";

const NEEDS = process.platform === "linux" ? false : "processes are found in Linux's /proc";
const folder = new Folder();
after(() => folder[Symbol.dispose]());

/** A data directory with the tiny model under the name `mine`. */
function dataWithModel(name: string): string {
  const data = join(folder.path, name);
  mkdirSync(join(data, "models"), { recursive: true });
  writeTinyModel(join(data, "models", "mine.gguf"));
  return data;
}

function configOf(fields: string): string {
  return `{ version: 1, backends: { local: { model: mine, sequences: 3, ${fields} } } }`;
}

const FAKE = `engine: llama-server, binary: ${join(ROOT, "test/fakes/llama-server.mjs")}, contextTokens: 256, gpuLayers: 7`;

describe("a model of the data directory", { skip: NEEDS }, () => {
  it("is run by llama.cpp's server, kept while that runs, and free when Baseload was killed", async () => {
    const dataDir = dataWithModel("server");
    const model = join(dataDir, "models", "mine.gguf");
    await using server = await Baseload.start({ config: configOf(FAKE), dataDir });
    const answer = JSON.stringify(await readJson(chat(server, "mine")));
    assert.match(
      answer,
      /--alias mine --host \S+\.sock --parallel 3 --ctx-size 768 --n-gpu-layers 7 --jinja --metrics/,
    );
    const backends = await (await fetch(`${server.origin}/v1/models`)).text();
    assert.match(backends, /"architecture":"llama"/);
    const used = await runBaseload(["models", "rm", "mine", "--yes", "--data-dir", dataDir]);
    assert.match(used.stderr, /in use by a running server/);
    assert.ok(processesWith(model).length > 0);
    for (const pid of processesWith(`--data-dir ${dataDir}`)) process.kill(pid, "SIGKILL");
    await server.ended();
    await until("the server has ended too", () => processesWith(model).length === 0);
    const free = await runBaseload(["models", "rm", "mine", "--yes", "--data-dir", dataDir]);
    assert.equal(free.code, 0, free.output);
  });

  it("is run by the embedded engine by its name", async () => {
    const dataDir = dataWithModel("embedded");
    await using server = await Baseload.start({ config: configOf("engine: embedded"), dataDir });
    assert.match(
      JSON.stringify(await readJson(chat(server, "mine", { fields: { max_tokens: 3 } }))),
      /"completion_tokens":3/,
    );
    assert.match((await runBaseload(["models", "rm", "mine", "--yes", "--data-dir", dataDir])).stderr, /in use/);
  });

  it("is said to be missing, like the server's program", async () => {
    const dataDir = dataWithModel("missing");
    const other = folder.write("other.yaml", configOf("engine: embedded").replace("mine", "other"));
    const missing = await runBaseload(["serve", other, "--port", "0", "--data-dir", dataDir]);
    assert.match(missing.stderr, /no model other in .*models; correct `model`, or get one with `baseload models pull`/);
    const nowhere = folder.write("nowhere.yaml", configOf("engine: llama-server"));
    const absent = await runBaseload(["serve", nowhere, "--port", "0", "--data-dir", dataDir], { PATH: "/nowhere" });
    assert.match(absent.stderr, /there is no program llama-server; install llama\.cpp/);
    const bad = folder.write("bad.yaml", configOf(`${FAKE}, args: ["--port", "1"]`));
    const refused = await runBaseload(["serve", bad, "--check"]);
    assert.match(refused.stderr, /backends\.local\.args\[0\]: has a flag that Baseload sets itself/);
  });
});
