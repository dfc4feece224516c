import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { writeTinyModel } from "../../src/engines/embedded/tiny-model.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const folder = new Folder();
after(() => folder[Symbol.dispose]());

const GOOD = "{ version: 1, backends: { mock: { url: http://127.0.0.1:9/v1, models: [m] } } }";

/** Arguments for a server that must not come to serve, with a data directory of its own. */
function serve(...args: readonly string[]): readonly string[] {
  return ["serve", "--port", "0", "--data-dir", join(folder.path, "data"), ...args];
}

interface Row {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: number;
  /** What it must say, on stdout with status 0 and on stderr else. */
  readonly says: readonly RegExp[];
}

/** Runs each row and compares its status and its words; errors never show a stack. */
function rows(list: readonly Row[]): void {
  for (const { name, args, code, says } of list) {
    it(name, async () => {
      const ran = await runBaseload(args);
      assert.equal(ran.code, code, ran.output);
      for (const pattern of says) assert.match(code === 0 ? ran.stdout : ran.stderr, pattern);
      if (code === 0) assert.equal(ran.stderr, "");
      else assert.doesNotMatch(ran.stderr, /^\s+at |node:internal|\.ts:\d+:\d+/m, "a stack");
    });
  }
}

describe("baseload's help", { concurrency: true }, () => {
  rows([
    { name: "of the program", args: ["--help"], code: 0, says: [/baseload serve/, /baseload replay/, /Exit status/] },
    { name: "of serve", args: ["serve", "--help"], code: 0, says: [/--port PORT/, /--journal FILE/, /Examples:/] },
    { name: "of replay", args: ["replay", "--help"], code: 0, says: [/--exact JOURNAL/] },
    { name: "without a command", args: [], code: 2, says: [] },
    { name: "the version", args: ["--version"], code: 0, says: [/^\d+\.\d+\.\d+\n$/] },
  ]);
});

describe("wrong usage ends with status 2 and what to do", { concurrency: true }, () => {
  rows([
    { name: "unknown command", args: ["sevre"], code: 2, says: [/no command `sevre`/, /baseload serve/] },
    { name: "unknown option", args: ["serve", "--prot", "1"], code: 2, says: [/--prot/, /serve --help/] },
    { name: "port that is none", args: ["serve", "--port", "http"], code: 2, says: [/--port .*0 to 65535.*"http"/] },
    { name: "missing file", args: ["serve", "no-such.yaml"], code: 2, says: [/no file no-such\.yaml/] },
    { name: "replay of nothing", args: ["replay"], code: 2, says: [/--exact JOURNAL/, /replay --help/] },
  ]);
});

describe("baseload serve --check", () => {
  const good = folder.write("good.yaml", GOOD);
  const bad = folder.write(
    "bad.yaml",
    "version: 1\nbackends:\n  one:\n    url: http://127.0.0.1:9/v1\n    maxConcurent: 4\n",
  );
  rows([
    { name: "a good file", args: ["serve", good, "--check"], code: 0, says: [/valid: 1 backend\(s\): mock/] },
    {
      name: "a bad file",
      args: ["serve", bad, "--check"],
      code: 1,
      says: [/bad\.yaml:5:5: backends\.one\.maxConcurent: unknown key → did you mean maxConcurrent\?/],
    },
  ]);

  it("a bad file, as JSON", async () => {
    const { code, stdout } = await runBaseload(["serve", bad, "--check", "--json"]);
    assert.equal(code, 1);
    const { event, problems } = JSON.parse(stdout) as {
      event: string;
      problems: readonly { line: number; remedy: string }[];
    };
    assert.deepEqual([event, problems[0]?.line, problems[0]?.remedy], ["invalid", 5, "did you mean maxConcurrent?"]);
  });
});

/** Configurations and command lines with which there is nothing to serve. */
function cannotServe(): readonly Row[] {
  const model = (name: string): string =>
    folder.write(`${name}.yaml`, `{ version: 1, backends: { local: { engine: embedded, model: ${name}.gguf } } }`);
  // As a download leaves it that was broken off, and as a mistaken path leads to it.
  writeTinyModel(join(folder.path, "corrupt.gguf"));
  truncateSync(join(folder.path, "corrupt.gguf"), 200_000);
  writeFileSync(join(folder.path, "text.gguf"), "a text\n");
  const keyed = folder.write(
    "keyed.yaml",
    "{ version: 1, backends: { one: { url: http://127.0.0.1:9/v1, key: { env: BASELOAD_NO_SUCH_KEY } } } }",
  );
  const args = (name: string, ...more: readonly string[]): readonly string[] => [
    "serve",
    "--port",
    "0",
    "--data-dir",
    join(folder.path, name),
    ...more,
  ];
  return [
    {
      name: "a host that others reach, without keys",
      args: args("host", folder.write("host.yaml", GOOD), "--host", "0.0.0.0"),
      code: 1,
      says: [/0\.0\.0\.0 can be reached from other machines.*tenants with keys/],
    },
    {
      name: "a missing model",
      args: args("missing", model("missing")),
      code: 1,
      says: [/no file .*missing\.gguf, and no model missing\.gguf in .*; correct `model`/],
    },
    {
      name: "a corrupt model",
      args: args("corrupt", model("corrupt")),
      code: 1,
      says: [/corrupt\.gguf cannot be loaded: .*damaged/],
    },
    {
      name: "a file that is no model",
      args: args("text", model("text")),
      code: 1,
      says: [/text\.gguf is not a GGUF file/],
    },
    {
      name: "a key that is not set",
      args: args("key", keyed),
      code: 1,
      says: [/BASELOAD_NO_SUCH_KEY is not set → set/],
    },
    {
      name: "a data directory that is a file",
      args: serve(folder.write("file.yaml", GOOD), "--data-dir", folder.write("file", "")),
      code: 1,
      says: [/file/],
    },
  ];
}

describe("baseload serve that cannot", { concurrency: true }, () => {
  rows(cannotServe());

  it("a port in use", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const ran = await runBaseload([
      "serve",
      folder.write("port.yaml", GOOD),
      "--port",
      String(port),
      "--data-dir",
      join(folder.path, "port"),
    ]);
    taken.close();
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use; .*--port`));
  });
});

describe("baseload serve --json", () => {
  it("prints JSON lines and nothing else", async () => {
    await using server = await Baseload.start({ config: GOOD, args: ["--json"] });
    await fetch(`${server.baseUrl}/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] }),
    });
    assert.deepEqual(await server.end("SIGINT"), { code: 0, signal: null });
    const lines = server.output
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string });
    assert.deepEqual([...new Set(lines.map(({ event }) => event))].toSorted(), [
      "listening",
      "log",
      "stopped",
      "stopping",
    ]);
  });
});
