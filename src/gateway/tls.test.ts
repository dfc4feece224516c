import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { makeCertificate } from "../../test/fakes/certificate.ts";
import { exchangeBytes, readToEnd } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";
import type { GatewayOptions } from "./server.ts";

const tls = makeCertificate();
const begin = (change: Partial<GatewayOptions> = {}) => startGateway({ tls, ...change });

async function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", ca: tls.cert, ...options });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

function ask(port: number, stream: boolean): Promise<{ readonly status: number; readonly text: string }> {
  const body = JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: "Hi" }] });
  return new Promise((resolve, reject) => {
    const path = "/v1/chat/completions";
    const sent = request({ port, host: "127.0.0.1", path, method: "POST", ca: tls.cert, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on("error", reject).end(body);
  });
}

describe("over TLS", () => {
  test("answers and streams are as without it", async () => {
    const { port } = await begin();
    assert.deepEqual(await ask(port, false), { status: 200, text: '{"model":"m"}' });
    assert.deepEqual(await ask(port, true), { status: 200, text: "data: [DONE]\n\n" });
  });

  test("HTTP/1.1 is agreed upon, and nothing older than TLS 1.2", async () => {
    const { port } = await begin();
    const socket = await shake(port, { ALPNProtocols: ["h2", "http/1.1"] });
    assert.deepEqual([socket.alpnProtocol, socket.getProtocol()], ["http/1.1", "TLSv1.3"]);
    socket.destroy();
    const older = await shake(port, { maxVersion: "TLSv1.2" });
    assert.equal(older.getProtocol(), "TLSv1.2");
    older.destroy();
    const ciphers = "DEFAULT@SECLEVEL=0";
    await assert.rejects(shake(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers }));
  });

  test("bytes that are no TLS, and handshakes that never end, are closed", async () => {
    const { desk, port } = await begin({ uploadTimeoutMs: 300 });
    const { text } = await exchangeBytes(port, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert.ok(!text.includes("HTTP/"), text);
    const silent = connectPlain(port, "127.0.0.1");
    silent.on("error", () => {});
    await readToEnd(silent);
    assert.deepEqual(desk.limits, ["upload_timeout"]);
    assert.equal((await ask(port, false)).status, 200);
  });

  test("bytes that are no HTTP are refused in words", async () => {
    const { port } = await begin();
    const socket = await shake(port);
    socket.write("nonsense\r\n\r\n");
    assert.match(await readToEnd(socket), /^HTTP\/1\.1 400 [^]*"bad_http"/);
  });

  test("connections are counted, and their places given back", async () => {
    const { port } = await begin({ maxConnections: 1 });
    for (let round = 0; round < 3; round += 1) {
      const socket = await shake(port);
      await assert.rejects(shake(port));
      socket.destroy();
      await until("its place is free", () =>
        ask(port, false).then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
    }
  });

  test("a client that leaves is told to the desk, and one that does not read is closed", async () => {
    const { desk, port } = await begin({ clientIdleMs: 200 });
    desk.onArrive = (exchange) => {
      exchange.commit();
      exchange.write(Buffer.alloc(desk.exchanges.length === 1 ? 10 : 60_000_000, "x"));
    };
    const body = '{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}';
    const text = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const leaves = await shake(port);
    leaves.write(text);
    await once(leaves, "data");
    leaves.destroy();
    await until("it is told", () => desk.gone.length === 1);
    const sleeps = await shake(port);
    sleeps.pause();
    sleeps.write(text);
    await until("it is closed", () => desk.gone.length === 2);
    assert.deepEqual(desk.goneCodes, ["client_gone", "client_too_slow"]);
    sleeps.destroy();
  });
});
