import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const mock = await startMock();
const folder = new Folder();
after(async () => {
  await mock.close();
  folder[Symbol.dispose]();
});

const config = (...names: readonly string[]): string =>
  `version: 1\nbackends:\n${names.map((name) => `  ${name}: { url: "${mock.baseUrl}", models: "*" }\n`).join("")}`;

interface Operated {
  readonly status: number;
  readonly body: { readonly inFlight: number; readonly cordoned: boolean };
}

async function operate(server: Baseload, what: string): Promise<Operated> {
  const response = await fetch(`${server.origin}/api/backends/${what}`, { method: "POST" });
  return { status: response.status, body: (await response.json()) as Operated["body"] };
}

async function servedBy(server: Baseload): Promise<string | null> {
  const exchange = chat(server, "ok");
  assert.equal((await readJson(exchange)).status, 200);
  return (await receiptOf(server, await receiptIdOf(exchange))).backendId;
}

describe("an operator", () => {
  it("drains a backend under a stream, across a reload, and gives it back; the journal of it replays", async () => {
    const journal = join(folder.path, "cordon.jsonl");
    await using server = await Baseload.start({ config: config("a", "b"), args: ["--journal", journal] });
    const stream = chat(server, "hold-after-first", { fields: { stream: true }, text: "drained" });
    await readToContent(stream);
    assert.deepEqual((await operate(server, "a/drain?waitMs=100")).body.inFlight, 1);
    for (let count = 0; count < 4; count += 1) assert.equal(await servedBy(server), "b");
    server.rewrite(config("a", "b", "c"));
    await server.reloaded();
    for (let count = 0; count < 4; count += 1) assert.notEqual(await servedBy(server), "a");
    const draining = operate(server, "a/drain");
    await mock.release("drained");
    const { dones, errors } = await readStream(stream);
    assert.deepEqual([dones, errors], [1, []]);
    const drained = await draining;
    assert.deepEqual([drained.status, drained.body.inFlight, drained.body.cordoned], [200, 0, true]);
    await operate(server, "b/cordon");
    await operate(server, "c/cordon");
    const waiting = servedBy(server);
    await sleep(200);
    assert.equal((await fetch(`${server.origin}/readyz`)).status, 503);
    assert.equal((await operate(server, "a/uncordon")).status, 200);
    assert.equal(await waiting, "a");
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    const replayed = await runBaseload(["replay", "--exact", journal, "--json"]);
    assert.equal(replayed.code, 0, replayed.output);
  });

  it("needs a key that is marked so, where there are keys", async () => {
    const keys = "keys: [{ name: ops, env: OPS_KEY, admin: true }, { name: app, env: APP_KEY }]";
    const tenants = `tenants: { acme: { ${keys} } }\n`;
    const env = { OPS_KEY: "ops-secret", APP_KEY: "app-secret" };
    await using server = await Baseload.start({ config: config("a") + tenants, env });
    const list = async (key: string): Promise<number> =>
      (await fetch(`${server.origin}/api/backends`, { headers: { authorization: `Bearer ${key}` } })).status;
    assert.deepEqual([await list("ops-secret"), await list("app-secret"), await list("nobody")], [200, 403, 401]);
  });
});
