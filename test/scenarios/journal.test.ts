import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { until } from "../gateway-suite/check.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";
import { load } from "./lib/load.ts";

const MODELS = [
  "ok",
  "dies-before-content",
  "long-120",
  "error-500",
  "rate-limited",
  "dies-mid-stream",
  "slow-chunks-20",
];
const CLIENTS = 16;
const REQUESTS = 20;
/** Some 1,000 events. */
const KILLED_AT_BYTES = 300_000;

const mocks = [await startMock(), await startMock()];
const folder = new Folder();
after(async () => {
  for (const mock of mocks) await mock.close();
  folder[Symbol.dispose]();
});

/** Both backends take every model and few requests at once, so that requests queue, fall back and find no place. */
const config = `
version: 1
server: { cooldownFirstMs: 20, cooldownMaxMs: 100, maxQueued: 8 }
sites: { here: { layer: device, electricityUsdPerKwh: 0.21 } }
backends:
  left: { url: "${mocks[0]?.baseUrl}", models: "*", maxConcurrent: 4, watts: 700, watch: { progressEveryTokens: 50 } }
  right: { url: "${mocks[1]?.baseUrl}", models: "*", maxConcurrent: 4, price: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } }
`;

interface Replayed {
  readonly code: number | null;
  readonly events: number;
  readonly mismatch: string | null;
  readonly truncated: boolean;
  readonly stderr: string;
}

async function replay(path: string): Promise<Replayed> {
  const { code, stdout, stderr } = await runBaseload(["replay", "--exact", path, "--json"]);
  const result = (stdout === "" ? {} : JSON.parse(stdout)) as Omit<Replayed, "code" | "stderr">;
  return { ...result, code, stderr };
}

/** The events of a journal, one a line. */
function eventsOf(path: string): readonly string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("["));
}

/** A copy in which the first digit of one figure is another one: of the last event that has a figure of this name. */
function withOtherFigure(path: string, name: string): string {
  const text = readFileSync(path, "utf8");
  const last = [...text.matchAll(new RegExp(`"${name}":(?=\\d)`, "g"))].at(-1);
  assert.ok(last, `no ${name} in the journal`);
  const at = last.index + last[0].length;
  return folder.write("changed.jsonl", text.slice(0, at) + (text[at] === "7" ? "8" : "7") + text.slice(at + 1));
}

describe("the journal", () => {
  it("of hundreds of requests with failures replays to the same commands, and no changed figure passes", async () => {
    const path = join(folder.path, "run.jsonl");
    {
      await using server = await Baseload.start({ config, args: ["--journal", path] });
      const { named, answered } = await load(server, {
        models: MODELS,
        clients: CLIENTS,
        requests: REQUESTS,
        leaveEvery: 5,
      });
      assert.ok(named.size >= CLIENTS * REQUESTS * 0.9 && answered > 50, `${named.size} receipts, ${answered} answers`);
      assert.deepEqual(await server.end(), { code: 0, signal: null });
    }
    const events = eventsOf(path);
    for (const kind of ["arrived", "first", "progress", "finished", "failed", "cancelled", "appended", "stored"])
      assert.ok(
        events.some((line) => line.includes(`"kind":"${kind}"`)),
        `no event ${kind}`,
      );
    assert.ok(
      events.some((line) => line.includes('"attempt":2')),
      "no fallback",
    );
    const same = await replay(path);
    assert.deepEqual([same.code, same.events, same.mismatch, same.truncated], [0, events.length, null, false]);
    for (const name of ["firstLeafIndex", "inputTokens"])
      assert.equal((await replay(withOtherFigure(path, name))).code, 1, `another ${name} passed`);
  });

  it("of a server that was killed replays as far as it was written", async () => {
    const path = join(folder.path, "killed.jsonl");
    await using server = await Baseload.start({ config, args: ["--journal", path] });
    const loading = load(server, { models: MODELS, clients: CLIENTS });
    await until(() => Promise.resolve(statSync(path).size > KILLED_AT_BYTES || undefined), {
      withinMs: 30_000,
      orElse: "the journal does not grow",
    });
    await server.end("SIGKILL");
    await loading;
    const whole = await replay(path);
    assert.deepEqual([whole.code, whole.mismatch], [0, null], whole.stderr);
    assert.ok(whole.events > 500, `${whole.events} events`);
    const text = readFileSync(path, "utf8").trimEnd();
    const cut = folder.write("cut.jsonl", text.slice(0, -7));
    const rest = await replay(cut);
    assert.deepEqual([rest.code, rest.mismatch, rest.truncated], [0, null, true]);
  });

  it("is never written over an older one, and what is no journal is refused", async () => {
    const path = join(folder.path, "older.jsonl");
    writeFileSync(path, "kept\n");
    const refused = await runBaseload([
      "serve",
      folder.write("c.yaml", config),
      "--port",
      "0",
      "--data-dir",
      folder.path,
      "--journal",
      path,
    ]);
    assert.equal(refused.code, 1, refused.output);
    assert.match(refused.stderr, /older\.jsonl/);
    assert.equal(readFileSync(path, "utf8"), "kept\n");
    assert.equal((await replay(path)).code, 1);
    const missing = await replay(join(folder.path, "no-such.jsonl"));
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no-such\.jsonl/);
  });
});
