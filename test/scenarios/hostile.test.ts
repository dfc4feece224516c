import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { startMock } from "../upstream/mock-upstream.ts";
import { readJson } from "../gateway-suite/reading.ts";
import { until } from "../until.ts";
import { chat } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { INSPECTED, liveHeapBytes } from "./lib/heap.ts";

const CONNECTIONS = 10_000;
/** Both ends of a loopback connection may count towards the same limits, so not all stand at once. */
const AT_ONCE = 2000;
const UPLOAD_TIMEOUT_MS = 1000;
const MAX_SECONDS = 40;
const MAX_GROWTH_BYTES = 256_000_000;
/** Two hundred bytes of each connection would be as much. */
const MAX_KEPT_BYTES = 2_000_000;
const MAX_HONEST_MS = 5000;

const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
server: { uploadTimeoutMs: ${UPLOAD_TIMEOUT_MS}, maxConnections: ${AT_ONCE + 500} }
backends: { mock: { url: "${mock.baseUrl}", models: "*" } }
`,
  env: INSPECTED,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

const POST = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n";
const compressed = gzipSync(randomBytes(100_000));
const garbage = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919 + 13) % 256));

/** What a hostile client does once it is connected, and the error that it is told; null where it has left. */
interface Hostility {
  readonly act: (socket: Socket) => void;
  readonly told: string | null;
}

const HOSTILITIES: Readonly<Record<string, Hostility>> = {
  "sends its headers a little at a time": {
    told: "request_timeout",
    act: (socket) => {
      socket.write(POST);
      let index = 0;
      const timer = setInterval(() => socket.write(`x-${(index += 1)}: a\r\n`), 200);
      socket.once("close", () => clearInterval(timer));
    },
  },
  "stops in the middle of its body": {
    told: "request_timeout",
    act: (socket) => {
      socket.write(`${POST}content-length: 30000000\r\n\r\n{"model":"ok","messages":[{"role":"user","content":"`);
      socket.write("x".repeat(10_000));
    },
  },
  "stops in the middle of a chunk": {
    told: "request_timeout",
    act: (socket) => void socket.write(`${POST}transfer-encoding: chunked\r\n\r\nfffffff\r\n{"model":`),
  },
  "sends garbage": { told: "bad_http", act: (socket) => void socket.write(garbage) },
  "sends too many headers": {
    told: "headers_too_large",
    act: (socket) => void socket.write(`${POST}${"x: y\r\n".repeat(200)}\r\n`),
  },
  "begins a compressed body and waits": {
    told: "request_timeout",
    act: (socket) => {
      socket.write(`${POST}content-encoding: gzip\r\ncontent-length: 100000\r\n\r\n`);
      socket.write(compressed.subarray(0, 100));
    },
  },
  "connects and waits": { told: "request_timeout", act: () => {} },
  "leaves at once": { told: null, act: (socket) => void socket.destroy() },
};
const KINDS = Object.entries(HOSTILITIES);

interface Seen {
  connected: number;
  ended: number;
  /** What was told that should not have been, and how often. */
  readonly wrong: Map<string, number>;
}

/** The code of the one error that a connection was answered with, or what was wrong with its answer. */
function toldIn(text: string): string | null {
  if (text === "") return null;
  const code = /^HTTP\/1\.1 4\d\d [^]*\r\nconnection: close\r\n[^]*"code":"(\w+)"\}\}$/i.exec(text)?.[1];
  return code ?? `no clear error: ${text.slice(0, 200)}`;
}

/** One batch of hostile connections, which ends when the server has ended each of them. */
async function attack(count: number, seen: Seen): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      // Spread a little, as the queue of connections that wait to be accepted is short.
      await sleep(Math.floor(index / 50) * 5);
      await new Promise<void>((resolve) => {
        const [kind, { act, told }] = KINDS[index % KINDS.length] ?? assert.fail();
        let [text, isConnected] = ["", false];
        const socket = connect({ port: server.port, host: "127.0.0.1" }, () => {
          seen.connected += 1;
          isConnected = true;
          act(socket);
        });
        socket.on("error", () => {});
        socket.once("close", () => {
          seen.ended += 1;
          const heard = `${kind}: ${toldIn(text)}`;
          if (isConnected && toldIn(text) !== told) seen.wrong.set(heard, (seen.wrong.get(heard) ?? 0) + 1);
          resolve();
        });
        socket.on("data", (part: Buffer) => (text += part.toString("latin1")));
      });
    }),
  );
}

/** The server's resident memory in bytes, or null where the system does not tell it. */
function residentBytes(): number | null {
  if (process.platform !== "linux") return null;
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** Sockets that the server holds, on Linux. */
function openSockets(): number {
  const folder = `/proc/${server.pid}/fd`;
  return readdirSync(folder).filter((name) => targetOf(join(folder, name)).startsWith("socket:")).length;
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Closed since the folder was read.
    return "";
  }
}

/** Asks again and again while the attack lasts; how long the slowest answer took, and how many there were. */
async function beHonest(isOver: () => boolean): Promise<{ readonly answers: number; readonly slowestMs: number }> {
  let [answers, slowestMs] = [0, 0];
  while (!isOver()) {
    const began = performance.now();
    const { status } = await readJson(chat(server, "ok"));
    assert.equal(status, 200);
    answers += 1;
    slowestMs = Math.max(slowestMs, performance.now() - began);
    await sleep(20);
  }
  return { answers, slowestMs };
}

describe(`${CONNECTIONS} hostile connections`, () => {
  let heldBefore = 0;

  it("are all ended in words, cost little memory, and keep no honest client from its answer", async (test) => {
    for (let warm = 0; warm < 50; warm += 1) await readJson(chat(server, "ok"));
    // One batch before, so that what is made once and kept, such as compiled code, is there.
    await attack(AT_ONCE, { connected: 0, ended: 0, wrong: new Map() });
    heldBefore = await liveHeapBytes(server);
    const before = residentBytes();
    let most = before ?? 0;
    const watching = setInterval(() => (most = Math.max(most, residentBytes() ?? 0)), 100);
    const seen: Seen = { connected: 0, ended: 0, wrong: new Map() };
    const began = performance.now();
    let isOver = false;
    const honest = beHonest(() => isOver);
    honest.catch(() => {});
    for (let left = CONNECTIONS; left > 0; left -= AT_ONCE) await attack(Math.min(left, AT_ONCE), seen);
    const seconds = (performance.now() - began) / 1000;
    isOver = true;
    clearInterval(watching);
    const { answers, slowestMs } = await honest;
    const growth = most - (before ?? 0);
    test.diagnostic(
      `${seconds.toFixed(1)} s, ${(growth / 1e6).toFixed(0)} MB more at most, ${answers} honest answers, slowest ${slowestMs.toFixed(0)} ms`,
    );
    assert.equal(seen.ended, CONNECTIONS);
    assert.deepEqual([...seen.wrong], []);
    assert.ok(seen.connected > CONNECTIONS * 0.99, `${seen.connected} connected`);
    assert.ok(seconds < MAX_SECONDS, `${seconds} s`);
    if (before !== null) assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes more`);
    assert.ok(answers > 20, `${answers} honest answers`);
    assert.ok(slowestMs < MAX_HONEST_MS, `an honest answer took ${slowestMs} ms`);
    assert.equal(mock.requests.filter(({ model }) => model !== "ok").length, 0, "no hostile request reached a backend");
  });

  it("are counted, by what was wrong with them and by the limit that ended them", async () => {
    const text = await (await fetch(`${server.origin}/metrics`)).text();
    const countOf = (sample: string): number =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${sample} `))
          ?.slice(sample.length) ?? 0,
      );
    const ofKind = (CONNECTIONS / KINDS.length) * 0.99;
    const slow = KINDS.filter(([, { told }]) => told === "request_timeout").length;
    assert.ok(countOf('baseload_turned_away_total{limit="upload_timeout"}') > slow * ofKind, text);
    assert.ok(countOf('baseload_refused_total{code="bad_http"}') > ofKind, text);
    assert.ok(countOf('baseload_refused_total{code="headers_too_large"}') > ofKind, text);
  });

  it("leave nothing behind", async (test) => {
    // Those that stand now are the server's own: to the backend and to what it listens on.
    if (process.platform === "linux") await until("no connection of theirs is held", () => openSockets() < 20);
    let kept = 0;
    await until("what they took is given back", async () => {
      kept = (await liveHeapBytes(server)) - heldBefore;
      return kept < MAX_KEPT_BYTES;
    });
    test.diagnostic(`${(kept / 1e6).toFixed(2)} MB kept after ${CONNECTIONS} connections`);
    assert.equal((await readJson(chat(server, "ok"))).status, 200);
  });
});
