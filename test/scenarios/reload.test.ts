import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";
import { load } from "./lib/load.ts";
import { enginePid, TINY } from "./lib/tiny.ts";

const mocks = [await startMock(), await startMock()] as const;
const folder = new Folder();
after(async () => {
  for (const mock of mocks) await mock.close();
  folder[Symbol.dispose]();
});

const backend = (name: string, index: 0 | 1, more = ""): string =>
  `  ${name}: { url: "${mocks[index].baseUrl}", models: "*"${more} }\n`;
const file = (...backends: readonly string[]): string => `version: 1\nbackends:\n${backends.join("")}`;

async function ready(server: Baseload): Promise<{ readonly status: number; readonly warnings: readonly string[] }> {
  const response = await fetch(`${server.origin}/readyz`);
  const { warnings } = (await response.json()) as { readonly warnings: readonly string[] };
  return { status: response.status, warnings };
}

async function servedBy(server: Baseload, key?: string): Promise<string | number | null> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const exchange = chat(server, "ok", { headers });
  const { status } = await readJson(exchange);
  if (status !== 200) return status;
  return (await receiptOf(server, await receiptIdOf(exchange), key)).backendId;
}

describe("a configuration file that changes", () => {
  it("is taken up while streams go on, and the journal of it all replays", async () => {
    const journal = join(folder.path, "reloads.jsonl");
    await using server = await Baseload.start({ config: file(backend("old", 0)), args: ["--journal", journal] });
    const stream = chat(server, "hold-after-first", { fields: { stream: true }, text: "across the reload" });
    await readToContent(stream);
    server.rewrite(file(backend("new", 1)));
    await server.reloaded();
    assert.match(server.output, /added new; removed old/);
    assert.equal(await servedBy(server), "new");
    await mocks[0].release("across the reload");
    const { dones, errors } = await readStream(stream);
    assert.deepEqual([dones, errors], [1, []]);
    assert.equal((await receiptOf(server, await receiptIdOf(stream))).backendId, "old");
    const loading = load(server, { models: ["ok", "slow-chunks-20"], clients: 8, requests: 20 });
    server.rewrite(file(backend("new", 0), backend("more", 1, ", maxConcurrent: 2")));
    await server.reloaded(2);
    assert.match(server.output, /added more; replaced new/);
    const { settled } = await loading;
    assert.equal(settled.size, 160);
    for (const { outcome } of settled.values()) assert.equal(outcome, "completed");
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    const replayed = await runBaseload(["replay", "--exact", journal, "--json"]);
    assert.equal(replayed.code, 0, replayed.output);
    const configured = readFileSync(journal, "utf8").match(/"kind":"configured"/g) ?? [];
    assert.equal(configured.length, 3);
  });

  it("and is bad is not taken: the one before stays, and the operator is told until a good one comes", async () => {
    await using server = await Baseload.start({ config: file(backend("one", 0)) });
    assert.deepEqual(await ready(server), { status: 200, warnings: [] });
    server.rewrite("version: 1\nbackends:\n  one: { urll: x }\n");
    await server.printed(/stays as it was[^]*unknown key → did you mean url\?/);
    const told = await ready(server);
    assert.equal(told.status, 200);
    assert.match(told.warnings.join("\n"), /was not reloaded: .*baseload\.yaml:3:\d+: backends\.one/);
    assert.equal(await servedBy(server), "one");
    server.rewrite(file(backend("two", 1)));
    await server.reloaded();
    assert.deepEqual(await ready(server), { status: 200, warnings: [] });
    assert.equal(await servedBy(server), "two");
    server.rewrite(`${file(backend("two", 1))}server: { port: 1 }\ntelemetry: { probeIntervalMs: 1000 }\n`);
    await server.reloaded(2);
    assert.deepEqual((await ready(server)).warnings, []);
  });

  it("cannot move the server: what needs a restart is said, and the rest is taken", async () => {
    await using server = await Baseload.start({ config: file(backend("one", 0)) });
    server.rewrite(
      `${file(backend("two", 1))}server: { host: 127.0.0.2, maxAnswerBytes: 5 }\nstorage: { responseDays: 1, maxUnsettled: 50 }\n`,
    );
    await server.reloaded();
    const { warnings } = await ready(server);
    assert.equal(warnings.length, 3);
    assert.match(warnings[0] ?? "", /server\.host stays 127\.0\.0\.1 until a restart/);
    assert.match(warnings[2] ?? "", /storage\.responseDays stays 0 until a restart; the file says 1/);
    assert.equal(await servedBy(server), "two");
  });

  it("is found through the links that Kubernetes turns", async () => {
    const mount = join(folder.path, "mount");
    const write = (version: string, text: string): void => {
      mkdirSync(join(mount, version), { recursive: true });
      writeFileSync(join(mount, version, "baseload.yaml"), text);
      symlinkSync(version, join(mount, "..data_tmp"));
      renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
    };
    write("..1", file(backend("one", 0)));
    symlinkSync(join("..data", "baseload.yaml"), join(mount, "baseload.yaml"));
    await using server = await Baseload.start({ configPath: join(mount, "baseload.yaml") });
    write("..2", file(backend("two", 1)));
    await server.reloaded();
    assert.equal(await servedBy(server), "two");
  });
});

describe("SIGHUP", () => {
  it("reads keys again and replaces all of them at once, and leaves an engine alone that is as it was", async () => {
    const keyFile = folder.write("tenant.key", "first-key\n");
    const config = `${file("  engine: { engine: embedded }\n", backend("mock", 0))}tenants: { acme: { keys: [{ name: k, file: ${keyFile} }] } }\n`;
    await using server = await Baseload.start({ config });
    await server.printed(/is loaded as/);
    const pid = enginePid(server);
    assert.equal(await servedBy(server, "first-key"), "mock");
    writeFileSync(keyFile, "second-key\n");
    server.child.signal("SIGHUP");
    await server.reloaded();
    assert.equal(await servedBy(server, "first-key"), 401);
    assert.equal(await servedBy(server, "second-key"), "mock");
    assert.equal(enginePid(server), pid);
    const tiny = await readJson(
      chat(server, TINY, { fields: { max_tokens: 2 }, headers: { authorization: "Bearer second-key" } }),
    );
    assert.equal(tiny.status, 200);
    writeFileSync(keyFile, "");
    server.child.signal("SIGHUP");
    await server.printed(/tenant\.key is empty/);
    assert.equal(await servedBy(server, "second-key"), "mock", "a key that cannot be read takes none away");
  });

  it("starts an embedded engine before it gets requests, and ends one that is not wanted any more", async () => {
    await using server = await Baseload.start({ config: file(backend("mock", 0)) });
    server.rewrite(file("  engine: { engine: embedded, sequences: 2 }\n", backend("mock", 0)));
    await server.reloaded();
    const first = enginePid(server);
    assert.notEqual(first, null);
    assert.equal((await readJson(chat(server, TINY, { fields: { max_tokens: 2 } }))).status, 200);
    server.rewrite(file("  engine: { engine: embedded, sequences: 3 }\n", backend("mock", 0)));
    await server.reloaded(2);
    assert.equal((await readJson(chat(server, TINY, { fields: { max_tokens: 2 } }))).status, 200);
    server.rewrite(file(backend("mock", 0)));
    await server.reloaded(3);
    for (let tries = 0; enginePid(server) !== null && tries < 100; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(enginePid(server), null);
  });
});
