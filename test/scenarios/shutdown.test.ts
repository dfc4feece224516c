import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../gateway-suite/check.ts";
import { readJson, readStream, readToContent } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { Child } from "./lib/children.ts";
import { descendants, LONG, processesWith, TINY } from "./lib/tiny.ts";

const WITHIN_MS = 30_000;
/** Two signals within half a second are one press of Ctrl-C that came by two ways. */
const NEXT_SIGNAL_MS = 700;

const mock = await startMock();
const folder = new Folder();
after(async () => {
  await mock.close();
  folder[Symbol.dispose]();
});

function configOf(shutdownMs: number): string {
  return `
version: 1
server: { shutdownMs: ${shutdownMs} }
backends:
  mock: { url: ${mock.baseUrl}, models: "*" }
`;
}

/** How a request that comes now is refused: by status, or because no connection stands. */
async function refusal(server: Baseload): Promise<number | "refused"> {
  const exchange = chat(server, "ok");
  try {
    const { status } = await exchange.head();
    return status;
  } catch {
    return "refused";
  } finally {
    exchange.destroy();
  }
}

describe("a stop signal", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} lets open answers end and takes no new ones`, async () => {
      await using server = await Baseload.start({ config: configOf(30_000), dataDir: `${folder.path}/${signal}` });
      const stream = chat(server, "hold-after-first", { fields: { stream: true }, text: `stream ${signal}` });
      const whole = chat(server, "hold-after-first", { text: `whole ${signal}` });
      await readToContent(stream);
      await until(
        () => Promise.resolve(mock.requests.some((each) => each.bodyText.includes(`whole ${signal}`)) || undefined),
        {
          withinMs: WITHIN_MS,
          orElse: "the whole answer was not asked for",
        },
      );
      server.child.signal(signal);
      await server.printed(/Stopping/);
      const refused = await refusal(server);
      assert.ok(refused === "refused" || refused === 503, `a new request was answered with ${refused}`);
      await mock.release(signal);
      const { dones, errors, ending } = await readStream(stream);
      assert.deepEqual([dones, errors.length, ending], [1, 0, "clean"]);
      assert.equal((await readJson(whole)).status, 200);
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    });
  }

  it("hands a slow reader the rest of an answer that is complete", async () => {
    await using server = await Baseload.start({ config: configOf(30_000) });
    const exchange = chat(server, "flood-8");
    // Not reading: most of the answer waits in this server when its backend has long finished.
    const { headers } = await exchange.head();
    server.child.signal("SIGINT");
    await server.printed(/Stopping/);
    await sleep(300);
    const text = await exchange.text();
    assert.equal(exchange.ending, "clean");
    assert.equal(Buffer.byteLength(text), Number(headers["content-length"]));
    assert.deepEqual(await server.ended(), { code: 0, signal: null });
  });

  it("cuts what takes longer than shutdownMs with an error event, and the receipt says so", async () => {
    const dataDir = `${folder.path}/cut`;
    let id: string;
    {
      await using server = await Baseload.start({ config: configOf(300), dataDir });
      const stream = chat(server, "endless", { fields: { stream: true } });
      await readToContent(stream);
      id = await receiptIdOf(stream);
      server.child.signal("SIGINT");
      const { errors, dones } = await readStream(stream);
      assert.deepEqual([errors.length, dones], [1, 0]);
      assert.match(JSON.stringify(errors[0]), /"code":"shutting_down"/);
      assert.deepEqual(await server.ended(), { code: 0, signal: null });
    }
    await using again = await Baseload.start({ config: configOf(300), dataDir });
    const receipt = await receiptOf(again, id);
    assert.deepEqual([receipt.outcome, receipt.code], ["cancelled", "shutting_down"]);
  });

  it("ends at once at a second one", async () => {
    await using server = await Baseload.start({ config: configOf(60_000) });
    const stream = chat(server, "endless", { fields: { stream: true } });
    await readToContent(stream);
    server.child.signal("SIGINT");
    await server.printed(/Stopping/);
    await sleep(NEXT_SIGNAL_MS);
    assert.equal((await server.end("SIGINT")).code, 130);
    stream.destroy();
  });
});

/** Why npm cannot be used here, or false. */
function noNpm(): string | false {
  if (process.platform !== "linux") return "processes are counted in Linux's /proc";
  try {
    execFileSync("npm", ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "there is no npm";
  }
}

describe("npm start", { skip: noNpm() }, () => {
  const start = async (
    dataDir: string,
  ): Promise<AsyncDisposable & { readonly child: Child; readonly baseUrl: string }> => {
    const args = ["start", "--silent", "--", "--port", "0", "--data-dir", dataDir];
    const child = new Child({ command: "npm", args, ownGroup: true });
    const address = await until(() => Promise.resolve(/http:\/\/127\.0\.0\.1:\d+/.exec(child.stdout)?.[0]), {
      withinMs: WITHIN_MS,
      orElse: `npm start printed no address, but ${child.output}`,
    });
    return { child, baseUrl: `${address}/v1`, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  };
  /** Processes that name the data directory: the server, its wrapper and its engine. */
  const left = (dataDir: string): Promise<true> =>
    until(() => Promise.resolve(processesWith(dataDir).length === 0 || undefined), {
      withinMs: WITHIN_MS,
      orElse: "processes are left",
    });

  it("passes Ctrl-C on as one signal, lets an answer of the embedded model end, and leaves no process", async () => {
    const dataDir = `${folder.path}/npm-group`;
    await using started = await start(dataDir);
    const { child, baseUrl } = started;
    const stream = chat({ baseUrl }, TINY, { fields: { stream: true, ...LONG, max_tokens: 600 } });
    await readToContent(stream);
    assert.ok(descendants(child.pid).length >= 2, "the server and its engine run below npm");
    child.signal("SIGINT");
    const { dones, errors } = await readStream(stream);
    assert.deepEqual([dones, errors], [1, []], child.output);
    await left(dataDir);
    await child.ended;
    assert.match(child.output, /Stopped\./);
  });

  it("passes on a signal that npm alone is sent", async () => {
    const dataDir = `${folder.path}/npm-alone`;
    await using started = await start(dataDir);
    const { child } = started;
    process.kill(child.pid, "SIGTERM");
    await left(dataDir);
    await child.ended;
    assert.match(child.output, /Stopped\./);
  });
});
