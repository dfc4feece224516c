import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { FakeDesk } from "../../test/fakes/desk.ts";
import { exchangeBytes, open, type RawAnswer, readToEnd } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";
import { Headcount } from "./connections.ts";

const BODY = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
const health = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const chat = (headers: readonly string[] = []): string =>
  [
    "POST /v1/chat/completions HTTP/1.1",
    "host: localhost",
    "connection: close",
    `content-length: ${BODY.length}`,
    ...headers,
    "",
    BODY,
  ].join("\r\n");

function assertRefused(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal((JSON.parse(answer.body) as { error: { code: string } }).error.code, code);
  assert.equal(answer.headers["retry-after"], "1");
}

async function openMany(port: number, count: number): Promise<readonly Socket[]> {
  return Promise.all(Array.from({ length: count }, () => open(port)));
}

describe("connections", () => {
  for (const limits of [{ maxConnections: 3 }, { maxConnectionsPerClient: 3 }]) {
    test(`beyond ${Object.keys(limits)[0]} are answered 503 and closed, until one is free`, async () => {
      const { desk, port, lines } = await startGateway(limits);
      const sockets = await openMany(port, 3);
      // Each has been seen once it is answered.
      for (const socket of sockets) {
        socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        await once(socket, "data");
      }
      for (let round = 0; round < 5; round += 1) {
        assertRefused(await exchangeBytes(port, chat()), 503, "too_many_connections");
      }
      sockets[0]?.destroy();
      await until("its place is free", async () => (await exchangeBytes(port, health)).status === 200);
      for (const socket of sockets) socket.destroy();
      const limit = "maxConnections" in limits ? "max_connections" : "max_connections_per_client";
      assert.deepEqual(
        desk.limits.slice(0, 5),
        Array.from({ length: 5 }, () => limit),
      );
      assert.equal(lines.length, 1, "a flood is one line");
      assert.match(lines[0] ?? "", /latest from 127\.0\.0\.1/);
    });
  }

  test("that are refused hold nothing, though they never read or close", async () => {
    const { port } = await startGateway({ maxConnections: 1 });
    const first = await open(port);
    first.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(first, "data");
    const sockets = await openMany(port, 300);
    const ends = sockets.map(readToEnd);
    const texts = await Promise.all(ends);
    assert.ok(texts.filter((text) => text.includes("too_many_connections")).length >= 100);
    first.destroy();
    await until("it serves again", async () => (await exchangeBytes(port, health)).status === 200);
  });
});

describe("open requests", () => {
  test("beyond the limit are answered 429, while health is still told", async () => {
    const { desk, port } = await startGateway({ maxOpenRequests: 2 });
    desk.onArrive = () => {};
    const held = await openMany(port, 2);
    for (const socket of held) socket.write(chat());
    await until("both arrive", () => desk.exchanges.length === 2);
    assertRefused(await exchangeBytes(port, chat()), 429, "too_many_requests");
    assert.equal((await exchangeBytes(port, health)).status, 200);
    for (const socket of held) socket.destroy();
    await until("both are gone", () => desk.gone.length === 2);
    desk.onArrive = new FakeDesk().onArrive;
    assert.equal((await exchangeBytes(port, chat())).status, 200);
  });

  test("count while they are uploaded", async () => {
    const { port } = await startGateway({ maxOpenRequests: 1 });
    const socket = await open(port);
    socket.write(chat().slice(0, -5));
    await until("its place is taken", async () => (await exchangeBytes(port, chat())).status === 429);
    socket.destroy();
    await until("it is free", async () => (await exchangeBytes(port, chat())).status === 200);
  });
});

describe("a trusted proxy", () => {
  const forwarded = (address: string): string[] => [`x-forwarded-for: ${address}`];

  test("has many clients, each with its own limit", async () => {
    const { desk, port, lines } = await startGateway({ maxConnectionsPerClient: 1, trustedProxies: ["127.0.0.0/8"] });
    desk.onArrive = () => {};
    const held = await openMany(port, 2);
    held[0]?.write(chat(forwarded("1.1.1.1")));
    held[1]?.write(chat(forwarded("6.6.6.6, 2.2.2.2, 127.0.0.9")));
    await until("both arrive", () => desk.exchanges.length === 2);
    for (const address of ["1.1.1.1", "2.2.2.2"]) {
      assertRefused(await exchangeBytes(port, chat(forwarded(address))), 503, "too_many_connections");
    }
    assert.deepEqual(desk.limits, ["max_connections_per_client", "max_connections_per_client"]);
    assert.match(lines.join(), /1\.1\.1\.1/);
    desk.onArrive = new FakeDesk().onArrive;
    assert.equal((await exchangeBytes(port, chat(forwarded("6.6.6.6")))).status, 200);
    for (const socket of held) socket.destroy();
    await until("both are gone", () => desk.gone.length === 2);
    assert.equal((await exchangeBytes(port, chat(forwarded("1.1.1.1")))).status, 200);
  });

  test("is what no other client is by saying so", async () => {
    const { port } = await startGateway({ maxConnectionsPerClient: 1, trustedProxies: ["10.0.0.0/8"] });
    const first = await open(port);
    first.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(first, "data");
    assertRefused(await exchangeBytes(port, chat(forwarded("9.9.9.9"))), 503, "too_many_connections");
    first.destroy();
  });
});

test("a refused client of node:http sees the answer, not a broken connection", async () => {
  const { port } = await startGateway({ maxConnections: 1 });
  const first = await open(port);
  first.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await once(first, "data");
  for (let round = 0; round < 20; round += 1) {
    const status = await new Promise((resolve, reject) => {
      get({ port, host: "127.0.0.1", path: "/healthz", agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", reject);
    });
    assert.equal(status, 503);
  }
  first.destroy();
});

test("a headcount lets in as many as it may and forgets who has left", () => {
  const count = new Headcount({ max: 3, maxPerClient: 2 });
  assert.deepEqual(
    ["a", "a", "a", null, "b"].map((client) => count.enter(client)),
    [null, null, "max_connections_per_client", null, "max_connections"],
  );
  count.leave("a");
  assert.equal(count.enter("b"), null);
  assert.equal(count.enter("a"), "max_connections");
  count.leave(null);
  assert.equal(count.enter("a"), null);
});
