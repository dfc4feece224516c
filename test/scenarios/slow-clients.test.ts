import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../until.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";
import { readStream, readToContent } from "../gateway-suite/reading.ts";

// Systems hold megabytes of a connection's bytes themselves, and tell of progress only every megabyte or so.
const CLIENT_IDLE_MS = 1000;
const READ_EVERY_MS = 8;
const mock = await startMock();
const server = await Baseload.start({
  config: `
version: 1
server: { clientIdleMs: ${CLIENT_IDLE_MS} }
backends: { mock: { url: "${mock.baseUrl}", models: "*" } }
`,
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await mock.close();
});

/** A stream asked for over a socket of its own, of which only the head has been read; its receipt's id. */
async function begin(model: string): Promise<{ readonly socket: Socket; readonly id: string }> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  const body = JSON.stringify({ model, stream: true, messages: [{ role: "user", content: "Hi" }] });
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  return { socket, id: /x-baseload-receipt: (\S+)/.exec(head.toString())?.[1] ?? assert.fail(head.toString()) };
}

describe("a client that does not read", () => {
  it("is closed, its attempt upstream ends, and what was made is on its receipt", async () => {
    const { socket, id } = await begin("flood-1000");
    const receipt = await receiptOf(server, id);
    assert.deepEqual([receipt.outcome, receipt.code], ["cancelled", "client_too_slow"]);
    assert.equal(receipt.tokens.output.method, "counted_estimate");
    assert.ok((receipt.tokens.output.value ?? 0) > 100, JSON.stringify(receipt.tokens));
    assert.deepEqual(
      receipt.attempts.map(({ result }) => result),
      ["cancelled"],
    );
    await until("the upstream's connection is closed", () => mock.requests.some(({ closedEarly }) => closedEarly));
    socket.resume();
    await once(socket, "close");
  });
});

describe("a client is not too slow", () => {
  it("while it reads, however little at a time", async () => {
    const { socket, id } = await begin("flood-16");
    let end = "";
    const isOver = (): boolean => /data: \[DONE\]\s+0\s+$/.test(end);
    const began = performance.now();
    socket.on("data", (part: Buffer) => {
      end = (end + part.toString("latin1")).slice(-200);
      socket.pause();
      setTimeout(() => socket.resume(), READ_EVERY_MS);
    });
    socket.resume();
    await until("the stream ends", () => isOver() || socket.destroyed);
    assert.ok(performance.now() - began > CLIENT_IDLE_MS, "the client was as slow as this test wants it to be");
    assert.ok(isOver(), "the stream was cut");
    socket.destroy();
    assert.equal((await receiptOf(server, id)).outcome, "completed");
  });

  it("while it is the backend that is silent", async () => {
    const stream = chat(server, "hold-after-first", { fields: { stream: true }, text: "silent" });
    await readToContent(stream);
    await sleep(3 * CLIENT_IDLE_MS);
    await mock.release("silent");
    const { errors } = await readStream(stream);
    assert.deepEqual(errors, []);
  });
});
