import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readError, readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { type MockUpstream, startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const mocks = [await startMock(), await startMock(), await startMock()] as const;
const folder = new Folder();
after(async () => {
  for (const mock of mocks) await mock.close();
  folder[Symbol.dispose]();
});

const address = (mock: MockUpstream): string => `127.0.0.1:${mock.port}`;
const file = join(folder.path, "targets.json");

function target(...members: readonly MockUpstream[]): void {
  renameSync(folder.write("targets.new", JSON.stringify([{ targets: members.map(address) }])), file);
}

/** The backends that serve so many requests, one after the other. */
async function servers(server: Baseload, count: number): Promise<ReadonlySet<string | null>> {
  const seen = new Set<string | null>();
  for (let index = 0; index < count; index += 1) {
    const exchange = chat(server, "ok");
    const { status, body } = await readJson(exchange);
    assert.equal(status, 200, JSON.stringify(body));
    seen.add((await receiptOf(server, await receiptIdOf(exchange))).backendId);
  }
  return seen;
}

describe("members found in a file", () => {
  it("join and leave while streams go on, are backends of their own, and the journal of it replays", async () => {
    target(mocks[0], mocks[1]);
    const [first, second, third] = mocks.map((mock) => `vllm/${address(mock)}`);
    const journal = join(folder.path, "members.jsonl");
    const config = `version: 1\nbackends:\n  vllm: { discover: { file: "${file}" }, models: "*", maxConcurrent: 8 }\n`;
    await using server = await Baseload.start({ config, args: ["--journal", journal] });
    assert.deepEqual(await servers(server, 4), new Set([first, second]));
    const stream = chat(server, "hold-after-first", { fields: { stream: true }, text: "member" });
    await readToContent(stream);
    const holder = mocks.find((mock) => mock.requests.some(({ bodyText }) => bodyText.includes('"member"')));
    assert.ok(holder);
    const staying = holder === mocks[0] ? mocks[1] : mocks[0];
    target(staying, mocks[2]);
    await server.printed(new RegExp(`${address(mocks[2])} joined; ${address(holder)} left`));
    assert.deepEqual(await servers(server, 6), new Set([`vllm/${address(staying)}`, third]));
    await holder.release("member");
    const { dones, errors } = await readStream(stream);
    assert.deepEqual([dones, errors], [1, []]);
    assert.equal((await receiptOf(server, await receiptIdOf(stream))).backendId, `vllm/${address(holder)}`);
    const cordoned = await fetch(`${server.origin}/api/backends/${third}/cordon`, { method: "POST" });
    assert.equal(cordoned.status, 200);
    assert.deepEqual(await servers(server, 3), new Set([`vllm/${address(staying)}`]));
    folder.write("targets.json", "[");
    await server.printed(/members cannot be looked up: the file is not JSON; the last 2 are kept for at most 300 s/);
    assert.deepEqual(await servers(server, 2), new Set([`vllm/${address(staying)}`]));
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    const replayed = await runBaseload(["replay", "--exact", journal, "--json"]);
    assert.equal(replayed.code, 0, replayed.output);
  });

  it("are waited for where there are none at the start, and a reload keeps those that are followed", async () => {
    const later = join(folder.path, "later.json");
    const config = (more: string): string =>
      `version: 1\nbackends:\n  vllm: { discover: { file: "${later}" }, models: "*"${more} }\n`;
    await using server = await Baseload.start({ config: config("") });
    const none = await readError(chat(server, "ok"), [503, 503]);
    assert.deepEqual([none.code, none.headers["retry-after"]], ["no_members", "1"]);
    folder.write("later.json", JSON.stringify([{ targets: [address(mocks[0])] }]));
    await server.printed(/joined/);
    assert.deepEqual(await servers(server, 1), new Set([`vllm/${address(mocks[0])}`]));
    server.rewrite(config(", watts: 700"));
    await server.reloaded();
    assert.doesNotMatch(server.output, /removed|left/);
    assert.deepEqual(await servers(server, 1), new Set([`vllm/${address(mocks[0])}`]));
  });
});
