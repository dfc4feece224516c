import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { tryHold } from "../../src/app/models/locks.ts";
import { writeTinyModel } from "../../src/engines/embedded/tiny-model.ts";
import { FakeHub } from "../fakes/hub.ts";
import { until } from "../until.ts";
import { Folder } from "./lib/baseload.ts";
import { Child, runBaseload } from "./lib/children.ts";

const folder = new Folder();
after(() => folder[Symbol.dispose]());

let tiny: string;
before(() => {
  tiny = join(folder.path, "tiny-Q8_0.gguf");
  writeTinyModel(tiny);
});

/** A data directory of its own with these models in it. */
function dataWith(...files: readonly string[]): { readonly data: string; readonly models: string } {
  const data = join(folder.path, `data-${readdirSync(folder.path).length}`);
  const models = join(data, "models");
  mkdirSync(models, { recursive: true });
  for (const file of files) writeFileSync(join(models, file), readFileSync(tiny));
  return { data, models };
}

describe("baseload models", () => {
  it("pulls, lists and removes", async () => {
    const { data, models } = dataWith();
    const url = pathToFileURL(tiny).href;
    const empty = await runBaseload(["models", "list", "--data-dir", data]);
    assert.match(empty.stdout, /no models in/);
    const pulled = await runBaseload(["models", "pull", url, "--data-dir", data, "--json"]);
    assert.equal(pulled.code, 0, pulled.output);
    const { name, files } = JSON.parse(pulled.stdout) as { name: string; files: { sizeBytes: number }[] };
    assert.deepEqual([name, files[0]?.sizeBytes], ["tiny-Q8_0", statSync(tiny).size]);
    writeFileSync(join(models, "half.gguf.part"), "GGUF");
    writeFileSync(join(models, "bad.gguf"), "GGUF");
    const listed = await runBaseload(["models", "list", "--data-dir", data]);
    assert.match(listed.stdout, /^name +file +size +architecture +quantization +context +parameters\n/);
    assert.match(listed.stdout, /\ntiny-Q8_0 +tiny-Q8_0\.gguf +[\d.]+ [kM]B +llama +F16 +\d+ +\d+(\.\d+)?[KM]\n/);
    assert.match(listed.stdout, /bad cannot be used: it ends in the middle/);
    assert.match(listed.stdout, /half\.gguf was not pulled to its end: 4 B/);
    const removed = await runBaseload(["models", "rm", "tiny", "--yes", "--data-dir", data]);
    assert.equal(removed.code, 0, removed.output);
    for (const each of ["half", "bad"]) await runBaseload(["models", "rm", each, "--yes", "--data-dir", data]);
    assert.deepEqual(readdirSync(models), [".locks"]);
  });

  it("removes only what is meant, free and agreed to", async () => {
    const { data, models } = dataWith("one-a.gguf", "one-b.gguf");
    const remove = (...args: readonly string[]) => runBaseload(["models", "rm", ...args, "--data-dir", data]);
    assert.match((await remove("one", "--yes")).stderr, /several models: one-a, one-b/);
    assert.match((await remove("none", "--yes")).stderr, /no model none/);
    assert.match((await remove("one-a")).stderr, /add --yes/);
    const use = tryHold(models, "one-a", "shared");
    const used = await remove("one-a", "--yes");
    assert.equal(used.code, 1);
    assert.match(used.stderr, /in use by a running server/);
    use?.release();
    assert.ok(existsSync(join(models, "one-a.gguf")));
    assert.equal((await remove("one-a.gguf", "--yes")).code, 0);
    assert.ok(!existsSync(join(models, "one-a.gguf")));
  });

  it("says what is wrong with how it is used", async () => {
    const { data } = dataWith();
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [["models"], /list, pull or rm/],
      [["models", "constructor"], /list, pull or rm/],
      [["models", "pull"], /takes a URL/],
      [["models", "pull", "nonsense"], /neither a URL nor a model on a hub/],
      [["models", "pull", "file:///m.gguf", "--sha256", "12"], /64 hexadecimal digits/],
      [["models", "pull", "hf:o/r:Q4", "--hub", "ftp://h"], /not a URL with http/],
      [["models", "list", "more"], /fewer words/],
    ];
    for (const [args, says] of rows) {
      const ran = await runBaseload([...args, "--data-dir", data]);
      assert.equal(ran.code, 2, ran.output);
      assert.match(ran.stderr, says);
    }
  });

  it("keeps what came when it is interrupted, and goes on", async () => {
    await using hub = await FakeHub.start();
    hub.put("m.gguf", readFileSync(tiny));
    hub.cuts = [20_000];
    const { data, models } = dataWith();
    const args = ["models", "pull", "hf:org/repo/m.gguf", "--hub", hub.url, "--data-dir", data];
    await using child = new Child({ command: process.execPath, args: ["bin/baseload.mjs", ...args] });
    const part = join(models, "m.gguf.part");
    await until("20,000 bytes have come", () => existsSync(part) && statSync(part).size === 20_000);
    child.signal("SIGINT");
    assert.deepEqual(await child.ended, { code: 1, signal: null });
    assert.match(child.stderr, /stopped; what came is kept/);
    const again = await runBaseload(args);
    assert.equal(again.code, 0, again.output);
    assert.equal(hub.asked.at(-1)?.range, "bytes=20000-");
    assert.ok(readFileSync(join(models, "m.gguf")).equals(readFileSync(tiny)));
  });

  it("keeps what came when the disk is full", { skip: process.platform === "win32" && "no ulimit" }, async () => {
    const { data, models } = dataWith();
    // The shell's unit is 1,024 bytes in bash and 512 in others; either is less than the model.
    const limited = ["-c", 'ulimit -f 40; exec "$@"', "sh", process.execPath, "src/app/main.ts"];
    const args = ["models", "pull", pathToFileURL(tiny).href, "--data-dir", data];
    await using child = new Child({ command: "sh", args: [...limited, ...args] });
    assert.deepEqual(await child.ended, { code: 1, signal: null });
    assert.match(child.stderr, /cannot be written beyond \d+ bytes \(EFBIG\); make room/);
    assert.deepEqual(readdirSync(models).toSorted(), [".locks", "tiny-Q8_0.gguf.part", "tiny-Q8_0.gguf.part.json"]);
  });
});
