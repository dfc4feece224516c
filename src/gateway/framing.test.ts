import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { exchangeBytes, open } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";

const BODY = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
const SIZE = BODY.length.toString(16);
const LINE = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n";
const CHUNKED = `${LINE}transfer-encoding: chunked\r\n\r\n`;
const CHUNKS = `${SIZE}\r\n${BODY}\r\n0\r\n\r\n`;
/** What an attacker would have answered in place of the next client's request. */
const HIDDEN = "GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

const whole = (...headers: readonly string[]): string => `${LINE}${headers.join("\r\n")}\r\n\r\n${BODY}`;
const LENGTH = `content-length: ${BODY.length}`;

/** Requests that two readers could cut in two ways, by RFC 9112 and by what was used against real servers. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
  "a length and chunks": `${LINE}${LENGTH}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks and a length": `${LINE}transfer-encoding: chunked\r\n${LENGTH}\r\n\r\n0\r\n\r\n`,
  "two lengths": whole(LENGTH, "content-length: 5"),
  "the same length twice": whole(LENGTH, LENGTH),
  "a list of lengths": whole(`${LENGTH}, ${BODY.length}`),
  "a length with a sign": whole(`content-length: +${BODY.length}`),
  "a length below zero": whole("content-length: -1"),
  "a hexadecimal length": whole(`content-length: 0x${SIZE}`),
  "an empty length": whole("content-length: "),
  "a length in two parts": whole("content-length: 5 7"),
  "a length beyond all numbers": whole("content-length: 99999999999999999999999"),
  "the coding twice": `${LINE}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKS}`,
  "chunks in chunks": `${LINE}transfer-encoding: chunked, chunked\r\n\r\n${CHUNKS}`,
  "chunks that are not the last coding": `${LINE}transfer-encoding: chunked, identity\r\n\r\n${CHUNKS}`,
  "a coding that is not undone": `${LINE}transfer-encoding: gzip, chunked\r\n\r\n${CHUNKS}`,
  "a coding nobody knows": `${LINE}transfer-encoding: xchunked\r\n\r\n${CHUNKS}`,
  "no coding by name": `${LINE}transfer-encoding: identity\r\n\r\n`,
  "an empty coding": `${LINE}transfer-encoding: \r\n\r\n`,
  "a coding behind a vertical tab": `${LINE}transfer-encoding: \x0bchunked\r\n\r\n${CHUNKS}`,
  "chunks in HTTP/1.0": `POST /v1/chat/completions HTTP/1.0\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKS}`,
  "a space before the colon": whole(`content-length : ${BODY.length}`),
  "a space before a header": whole(` ${LENGTH}`),
  "a folded header": whole("x-a: b", " c", LENGTH),
  "a folded coding": `${LINE}transfer-encoding:\r\n\tchunked\r\n\r\n${CHUNKS}`,
  "no chunk size": `${CHUNKED}\r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk size with a prefix": `${CHUNKED}0x${CHUNKS}`,
  "a chunk size with a sign": `${CHUNKED}+${CHUNKS}`,
  "a chunk size below zero": `${CHUNKED}-1\r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk size with a space": `${CHUNKED}${SIZE} \r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk size with an underscore": `${CHUNKED}3_9\r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk size beyond all numbers": `${CHUNKED}fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk longer than its size": `${CHUNKED}5\r\n${BODY}\r\n0\r\n\r\n`,
  "a line feed after a chunk size": `${CHUNKED}${SIZE}\n${BODY}\r\n0\r\n\r\n`,
  "a line feed after a chunk": `${CHUNKED}${SIZE}\r\n${BODY}\n0\r\n\r\n`,
  "a line feed in a chunk extension": `${CHUNKED}${SIZE};a\nb\r\n${BODY}\r\n0\r\n\r\n`,
  "a carriage return in a chunk extension": `${CHUNKED}${SIZE};a\rb\r\n${BODY}\r\n0\r\n\r\n`,
  "line feeds after the last chunk": `${CHUNKED}${SIZE}\r\n${BODY}\r\n0\n\n`,
  "a bad trailer": `${CHUNKED}${SIZE}\r\n${BODY}\r\n0\r\ncontent-length : 5\r\n\r\n`,
  "line feeds alone": whole(LENGTH).replaceAll("\r\n", "\n"),
  "a line feed after a header": `${LINE}${LENGTH}\n\r\n${BODY}`,
  "a line feed at the end of the headers": `${LINE}${LENGTH}\r\n\n${BODY}`,
  "carriage returns alone": whole(LENGTH).replaceAll("\r\n", "\r"),
  "a carriage return in a value": whole("x-a: b\rc", LENGTH),
  "a null in a value": whole("x-a: b\0c", LENGTH),
  "a null in a name": whole("x-a\0: b", LENGTH),
  "a header without a colon": whole("x-a", LENGTH),
  "a header without a name": whole(": x", LENGTH),
  "a name that is no token": whole("a(b): x", LENGTH),
  "two hosts": whole("Host: localhost", LENGTH),
  "no host": `POST /v1/chat/completions HTTP/1.1\r\n${LENGTH}\r\n\r\n${BODY}`,
  "tabs in its first line": `POST\t/v1/chat/completions\tHTTP/1.1\r\nhost: 127.0.0.1\r\n${LENGTH}\r\n\r\n${BODY}`,
  "a control character in its path": `POST /v1/chat\x01/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n${LENGTH}\r\n\r\n${BODY}`,
  "a method in small letters": `post /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n${LENGTH}\r\n\r\n${BODY}`,
  "no version": "GET /v1/models\r\n\r\n",
  "a version of two digits": `POST /v1/chat/completions HTTP/01.1\r\nhost: 127.0.0.1\r\n${LENGTH}\r\n\r\n${BODY}`,
  "HTTP/2's first bytes": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a wish for a tunnel": "CONNECT elsewhere:80 HTTP/1.1\r\nhost: elsewhere:80\r\n\r\n",
  "an expectation that nobody knows": whole("expect: a-miracle", LENGTH),
};

describe("a request that could be read in two ways", () => {
  for (const [what, bytes] of Object.entries(AMBIGUOUS)) {
    test(`by ${what}, is answered 400 once, closes the connection, and nothing behind it is read`, async () => {
      const { desk, port } = await startGateway();
      const answer = await exchangeBytes(port, Buffer.from(bytes + HIDDEN, "latin1"));
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.text.match(/HTTP\/1\.1 \d/g)?.length, 1, answer.text);
      assert.match(answer.body, /"code":"bad_http"/);
      assert.equal(answer.headers["connection"]?.toLowerCase(), "close");
      assert.deepEqual([desk.exchanges.length, desk.refusals], [0, ["bad_http"]]);
    });
  }
});

test("a wish for a tunnel whose client breaks it off, or never ends its side, ends nothing else", async () => {
  const { desk, port } = await startGateway();
  const wish = "CONNECT elsewhere:80 HTTP/1.1\r\nhost: elsewhere:80\r\n\r\n";
  for (let round = 0; round < 20; round += 1) {
    const socket = await open(port);
    socket.write(wish);
    socket.resetAndDestroy();
  }
  const lingering = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  lingering.on("error", () => {}).resume();
  lingering.write(wish);
  await once(lingering, "end");
  const writing = setInterval(() => lingering.write("x"), 5);
  try {
    await until("the connection is closed", () => lingering.destroyed);
  } finally {
    clearInterval(writing);
    lingering.destroy();
  }
  assert.equal((await exchangeBytes(port, whole(LENGTH, "connection: close"))).status, 200);
  assert.equal(desk.exchanges.length, 1);
});

describe("a request that can be read in one way alone", () => {
  for (const [what, bytes] of Object.entries({
    "with a chunk extension": `${CHUNKED}${SIZE};a=b\r\n${BODY}\r\n0\r\n\r\n`,
    "with its coding in capitals": `${LINE}Transfer-Encoding: CHUNKED\r\n\r\n${CHUNKS}`,
    "after an empty line": `\r\n${whole(LENGTH)}`,
    "of HTTP/1.0": `POST /v1/chat/completions HTTP/1.0\r\n${LENGTH}\r\n\r\n${BODY}`,
  })) {
    test(`${what}, is served`, async () => {
      const { desk, port } = await startGateway();
      const socket = await open(port);
      socket.write(bytes);
      const [data] = (await once(socket, "data")) as [Buffer];
      assert.match(String(data), /^HTTP\/1\.1 200 /);
      assert.equal(desk.exchanges[0]?.body.toString(), BODY);
      socket.destroy();
    });
  }

  test("though it offers HTTP/2, as some clients do at first, is served, and so is the next on its connection", async () => {
    const { port } = await startGateway();
    const socket = await open(port);
    for (const headers of [["connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "HTTP2-Settings: AAMAAABk"], []]) {
      socket.write(whole(...headers, LENGTH));
      const [data] = (await once(socket, "data")) as [Buffer];
      assert.match(String(data), /^HTTP\/1\.1 200 /);
    }
    socket.destroy();
  });
});
