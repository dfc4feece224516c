/** The supervisor and its guard with a fake of llama.cpp's server: how it is started, watched and ended. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { descendants } from "../../../test/scenarios/lib/tiny.ts";
import { until } from "../../../test/until.ts";
import { LlamaServerEngine } from "../llama-server-engine.ts";
import type { EngineState } from "../child-supervisor.ts";
import { flagsOf, type LlamaServerRun, ownFlag } from "./flags.ts";
import { LlamaServer } from "./supervisor.ts";

const binary = fileURLToPath(new URL("../../../test/fakes/llama-server.mjs", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "baseload-llama-"));
const socketDir = join(dir, "run");
after(() => rmSync(dir, { recursive: true, force: true }));

function runWith(model: string, changes: Partial<LlamaServerRun> = {}): LlamaServerRun {
  const modelPath = join(dir, `${model}.gguf`);
  writeFileSync(modelPath, model);
  const given = { binary, modelPath, alias: "m", sequences: 2, contextTokens: 512, gpuLayers: null, args: [] };
  return { ...given, ...changes };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the flags of llama.cpp's server", () => {
  it("say what was configured, the context being that of all sequences", () => {
    const run = { ...runWith("plain"), gpuLayers: 99, args: ["--threads", "3"] };
    const flags = flagsOf(run, "/run/x.sock").join(" ");
    assert.equal(
      flags,
      `--model ${run.modelPath} --alias m --host /run/x.sock --parallel 2 --ctx-size 1024 --n-gpu-layers 99 --jinja --metrics --threads 3`,
    );
    assert.doesNotMatch(flagsOf({ ...run, contextTokens: null, gpuLayers: null }, "/x.sock").join(" "), /ctx|gpu/);
  });

  it("are Baseload's where they would shut it out", () => {
    assert.equal(ownFlag(["--threads", "3", "--host=0.0.0.0"]), "--host=0.0.0.0");
    assert.equal(ownFlag(["--mlock", "--lora", "a.gguf"]), null);
  });
});

describe("llama.cpp's server as a child", { skip: process.platform === "win32" && "it is run on Unix sockets" }, () => {
  it("is waited for while it loads, and its words are passed on", async () => {
    const lines: string[] = [];
    const server = new LlamaServer(runWith("slow"), { socketDir, onLog: (line) => lines.push(line) });
    const { pid } = await server.start();
    assert.ok(isAlive(pid));
    assert.ok(existsSync(server.socketPath));
    await until("its words came", () => lines.some((line) => line.startsWith("main: server is listening on ")));
    await server.close();
    await until("the server has ended", () => !isAlive(pid));
    assert.ok(!existsSync(server.socketPath));
  });

  it("says why it cannot load a model, or be started", async () => {
    const refused = new LlamaServer(runWith("refuses"), { socketDir });
    await assert.rejects(
      refused.start(),
      /ended with status 1 before it had loaded .*\n.*\n.*unknown model architecture/,
    );
    const unknown = new LlamaServer(runWith("plain", { args: ["--no-such-flag"] }), { socketDir });
    await assert.rejects(unknown.start(), /invalid argument: --no-such-flag/);
    const missing = new LlamaServer(runWith("plain", { binary: join(dir, "nothing") }), { socketDir });
    await assert.rejects(missing.start(), /nothing cannot be started: .*ENOENT/);
  });

  const noProc = process.platform !== "linux" && "the guard's child is found in Linux's /proc";
  it("is started again when it dies, and when its guard is killed both are", { skip: noProc }, async () => {
    const states: EngineState[] = [];
    const server = new LlamaServer(runWith("plain"), { socketDir, onState: (state) => states.push(state) });
    const { pid } = await server.start();
    process.kill(pid, "SIGKILL");
    await until("it is ready again", () => states.join() === "starting,ready,down,starting,ready");
    const guard = server.pid ?? 0;
    const [second] = descendants(guard).map(({ pid: each }) => each);
    assert.ok(second !== undefined && second !== pid);
    process.kill(guard, "SIGKILL");
    await until("the server of the killed guard has ended", () => !isAlive(second));
    await until("it is ready once more", () => states.length === 8 && states.at(-1) === "ready");
    await server.close();
  });

  it("ends when Baseload is killed", async () => {
    const options = JSON.stringify({ run: runWith("plain"), options: { socketDir } });
    const script = `import { LlamaServer } from ${JSON.stringify(new URL("./supervisor.ts", import.meta.url).href)};
      const { run, options } = ${options}; console.log((await new LlamaServer(run, options).start()).pid);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = Number(await firstLine(parent));
    assert.ok(isAlive(pid));
    parent.kill("SIGKILL");
    await until("the server has ended", () => !isAlive(pid));
  });
});

describe("llama.cpp's server behind the engine port", { skip: process.platform === "win32" && "Unix sockets" }, () => {
  it("says its load, context and model by the server's own words", async () => {
    const reports: string[] = [];
    const engine = new LlamaServerEngine({
      run: runWith("slow"),
      socketDir,
      maxAnswerBytes: 1000,
      speaks: ["chat"],
      onLoss: "refuse",
      onReport: ({ state }) => reports.push(state),
    });
    assert.equal((await engine.probe()).state, "starting");
    await engine.start();
    const { state, contextTokens, observation } = await engine.probe();
    assert.deepEqual([state, contextTokens, observation?.kind], ["up", 512, "llamacpp"]);
    assert.deepEqual([observation?.running, observation?.maxConcurrent, observation?.version], [0, 2, "b0-fake"]);
    assert.deepEqual(
      observation?.models?.map(({ id }) => id),
      ["m"],
    );
    await engine.close();
    assert.equal((await engine.probe()).state, "down");
    assert.deepEqual(reports, ["starting", "up", "up"]);
  });
});

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  assert.ok(stdout !== null);
  const [line] = (await once(stdout, "data")) as [Buffer];
  return line.toString();
}
