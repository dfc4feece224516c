import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { open } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";

const LARGE = 40_000_000;
async function begin(clientIdleMs: number) {
  const { desk, gateway, port } = await startGateway({ clientIdleMs, idempotencyMaxBytes: 2 * LARGE });
  const ask = async (stream: boolean, key = "k") => {
    const body = JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: "Hi" }] });
    const socket = await open(port);
    socket.pause();
    const headers = `host: localhost\r\nidempotency-key: ${key}\r\ncontent-length: ${body.length}`;
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\n${headers}\r\n\r\n${body}`);
    return socket;
  };
  return { desk, gateway, ask };
}

describe("a client that leaves its answer unread", () => {
  test("is too slow for a stream, and the desk hears of it once", async () => {
    const { desk, gateway, ask } = await begin(200);
    desk.onArrive = (exchange) => {
      exchange.commit();
      exchange.write(Buffer.alloc(LARGE, "x"));
    };
    const socket = await ask(true);
    await until("the desk hears of it", () => desk.gone.length === 1);
    assert.deepEqual([desk.goneCodes, desk.limits], [["client_too_slow"], ["client_idle"]]);
    // What the desk still says of it is no news.
    desk.exchanges[0]?.write(Buffer.from("x"));
    desk.exchanges[0]?.fail({ code: "client_too_slow", detail: null, retryAfterMs: null, relay: null });
    const begun = performance.now();
    await gateway.finish(5000);
    assert.ok(performance.now() - begun < 2000, "no answer is left open");
    assert.equal(desk.gone.length, 1);
    socket.destroy();
  });

  test("is closed when the answer was complete, or a kept one, and the desk hears nothing", async () => {
    const { desk, gateway, ask } = await begin(200);
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.alloc(LARGE, " "));
      exchange.commit();
      exchange.end();
    };
    const sockets = [await ask(false)];
    await until("it is made", () => desk.exchanges.length === 1);
    sockets.push(await ask(false));
    const begun = performance.now();
    await gateway.finish(5000);
    assert.ok(performance.now() - begun < 2000, "no answer is left open");
    assert.deepEqual([desk.exchanges.length, desk.gone, desk.limits], [1, [], ["client_idle", "client_idle"]]);
    for (const socket of sockets) socket.destroy();
  });

  test("for a while, but reads on, gets all of it", async () => {
    const { desk, ask } = await begin(400);
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.alloc(LARGE, " "));
      exchange.commit();
      exchange.end();
    };
    const socket = await ask(false);
    let bytes = 0;
    let pauses = 0;
    socket.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes < (pauses + 1) * 4_000_000) return;
      pauses += 1;
      socket.pause();
      setTimeout(() => socket.resume(), 150);
    });
    socket.resume();
    await until("all is there", () => bytes > LARGE || socket.destroyed);
    assert.ok(bytes > LARGE, `cut after ${bytes}`);
    socket.destroy();
    await once(socket, "close");
  });
});
