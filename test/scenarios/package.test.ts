import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { run } from "../../scripts/run.ts";
import { ROOT } from "../../scripts/serve-for.ts";
import { readJson } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";

const PACK_MS = 300_000;

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

/** Runs a program to its end and returns what it printed; fails unless it ends with `status`. */
async function ran(command: string, args: readonly string[], status = 0): Promise<string> {
  const end = await run({ command, args, timeoutMs: PACK_MS });
  assert.equal(end.status, status, `${command} ${args.join(" ")}\n${end.output}`);
  return end.output;
}

/**
 * An empty folder with the packed package in it as an installation puts it there, and beside it what it declares that it needs,
 * but not its optional peers: an import of anything else fails. The registry is not asked.
 */
async function install(into: Folder, tarball: string): Promise<Manifest> {
  const modules = join(into.path, "node_modules");
  const root = join(modules, "baseload");
  mkdirSync(root, { recursive: true });
  await ran("tar", ["-xzf", tarball, "-C", root, "--strip-components=1"]);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    const from = join(ROOT, "node_modules", name);
    // Of the packaged Nodes only this system's is installed.
    if (!existsSync(from)) continue;
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(from, join(modules, name), "junction");
  }
  return manifest;
}

const tarball = (await ran(process.execPath, ["scripts/pack.ts"])).trim().split("\n").at(-1) ?? "";
const mock = await startMock();
const folder = new Folder();
const manifest = await install(folder, tarball);
const bin = join(folder.path, "node_modules", "baseload", "bin", "baseload.mjs");
after(async () => {
  await mock.close();
  folder[Symbol.dispose]();
});

/** Runs a module of the folder, where packages are found as in a user's project. */
const inFolder = (name: string, text: string): Promise<string> => ran(process.execPath, [folder.write(name, text)]);

describe("the packed package, installed in an empty folder", () => {
  it("serves a request through a remote backend, and its receipt", async () => {
    const config = `{ version: 1, backends: { mock: { url: "${mock.baseUrl}", models: [ok] } } }`;
    await using server = await Baseload.start({ bin, config });
    const exchange = chat(server, "ok");
    assert.equal((await readJson(exchange)).status, 200);
    assert.equal((await receiptOf(server, await receiptIdOf(exchange))).outcome, "completed");
    assert.deepEqual(await server.end(), { code: 0, signal: null });
  });

  it("without the embedded engine's packages says what to install, with the tiny model and with a file", async () => {
    const wanted = Object.entries(manifest.peerDependencies).map(([name, version]) => `${name}@${version}`);
    const model = folder.write(
      "baseload.yaml",
      "{ version: 1, backends: { local: { engine: embedded, model: m.gguf } } }",
    );
    for (const args of [[], [model]]) {
      const dataDir = join(folder.path, "data");
      const output = await ran(process.execPath, [bin, "serve", ...args, "--port", "0", "--data-dir", dataDir], 1);
      assert.match(output, /^baseload: backend \w+: the embedded engine needs /m);
      assert.match(output, /run `npm install /);
      for (const each of wanted) assert.ok(output.includes(each), `${each} in ${output}`);
      assert.match(output, /or name backends by url in baseload\.yaml/);
      assert.doesNotMatch(output, /\n\s+at /, "no stack");
    }
  });

  it("has the embedded engine as an optional peer, and everything else as what it is", () => {
    const declared = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
    const peers = Object.keys(manifest.peerDependencies);
    assert.deepEqual(peers.toSorted(), ["@huggingface/jinja", "node-llama-cpp"]);
    assert.ok(peers.every((name) => manifest.peerDependenciesMeta[name]?.optional === true));
    assert.deepEqual({ ...manifest.dependencies, ...manifest.peerDependencies }, declared.dependencies);
    assert.deepEqual(manifest.optionalDependencies, declared.optionalDependencies);
  });

  it("exports the service, the verifier and the simulation, and nothing inside them", async () => {
    assert.deepEqual(Object.keys(manifest.exports), [".", "./verify", "./sim", "./package.json"]);
    for (const target of Object.values(manifest.exports).flatMap((each) => Object.values(each as object) as string[])) {
      if (target.startsWith("./")) assert.ok(existsSync(join(dirname(bin), "..", target)), target);
    }
    const text = `
      import * as service from "baseload";
      import * as verify from "baseload/verify";
      import * as sim from "baseload/sim";
      const inside = await import("baseload/lib/app/main.js").catch((error) => error.code);
      console.log(JSON.stringify([typeof service.compose, verify, typeof sim.simulate, inside]));
    `;
    assert.deepEqual(JSON.parse(await inFolder("imports.mjs", text)), [
      "function",
      { VERIFIABLE_VERSIONS: [] },
      "function",
      "ERR_PACKAGE_PATH_NOT_EXPORTED",
    ]);
  });

  it("brings the catalogue along", async () => {
    const args = ["estimate", "--model", "llama-3.1-8b", "--on", "h100", "--concurrency", "8"];
    assert.match(await ran(process.execPath, [bin, ...args]), /llama-3\.1-8b bf16 on 1 × h100-sxm/);
  });

  it("is started by an older Node on the one that came with it, and says so where none did", async () => {
    const older = folder.write(
      "older.mjs",
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.0.0" } });',
    );
    const asOlder = ["--import", older];
    assert.equal(await ran(process.execPath, [...asOlder, bin, "--version"]), `${manifest.version}\n`);
    assert.match(await ran(process.execPath, [...asOlder, bin, "no-such-command"], 2), /There is no command/);
    using bare = new Folder();
    mkdirSync(join(bare.path, "bin"));
    const alone = join(bare.path, "bin", "baseload.mjs");
    bare.write("bin/baseload.mjs", readFileSync(bin, "utf8"));
    const output = await ran(process.execPath, [...asOlder, alone, "--version"], 1);
    assert.match(output, /Node 26 or later is needed, this is 20\.0\.0, and the packaged one is not installed/);
  });
});
