import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { exchangeBytes, open, parseAnswer, type RawAnswer, readToEnd } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";
import { until } from "../../test/until.ts";
import type { Exchange } from "../ports/exchange.ts";
import type { GatewayOptions } from "./server.ts";

const MAX_BODY_BYTES = 1000;
const begin = (change: Partial<GatewayOptions> = {}) => startGateway({ maxBodyBytes: MAX_BODY_BYTES, ...change });

function head(headers: readonly string[], path = "/v1/chat/completions"): string {
  return [`POST ${path} HTTP/1.1`, "host: 127.0.0.1", ...headers, "", ""].join("\r\n");
}

function assertError(answer: RawAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers["content-type"], "application/json");
  const { error } = JSON.parse(answer.body) as { error: { code: string } };
  assert.equal(error.code, code);
  assert.equal(Number(answer.headers["content-length"]), Buffer.byteLength(answer.body));
  assert.equal(answer.headers["connection"], "close");
}

const CHAT = JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }], stream: true });
const chatOf = (bytes: number): string => {
  const bare = JSON.stringify({ model: "m", messages: [{ role: "user", content: "" }] });
  return bare.replace('"content":""', `"content":"${"x".repeat(bytes - bare.length)}"`);
};
const chunked = (text: string, size: number): string =>
  (text.match(new RegExp(`.{1,${size}}`, "gs")) ?? [])
    .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
    .join("");

describe("a body's size", () => {
  test("a content-length over the limit is refused before the body is read", async () => {
    const { desk, port } = await begin();
    assertError(await exchangeBytes(port, head([`content-length: ${MAX_BODY_BYTES + 1}`])), 413, "request_too_large");
    assert.equal(desk.exchanges.length, 0);
  });

  test("a chunked body is refused as soon as it is over the limit", async () => {
    const { desk, port } = await begin();
    const body = chunked(chatOf(MAX_BODY_BYTES + 500), 100)
      .split("\r\n")
      .slice(0, 22)
      .join("\r\n");
    assertError(
      await exchangeBytes(port, `${head(["transfer-encoding: chunked"])}${body}\r\n`),
      413,
      "request_too_large",
    );
    assert.equal(desk.exchanges.length, 0);
  });

  test("a body of just the limit is taken, chunked or not", async () => {
    const { desk, port } = await begin();
    const body = chatOf(MAX_BODY_BYTES);
    const plain = await exchangeBytes(port, head([`content-length: ${body.length}`, "connection: close"]) + body);
    assert.equal(plain.status, 200, plain.text);
    const text = `${head(["transfer-encoding: chunked", "connection: close"])}${chunked(body, 7)}0\r\n\r\n`;
    assert.equal((await exchangeBytes(port, text)).status, 200);
    assert.deepEqual(
      desk.exchanges.map((exchange) => exchange.body.toString()),
      [body, body],
    );
  });
});

describe("bytes that are no good request", () => {
  test("that are not HTTP are answered in JSON, and the connection is closed", async () => {
    const { port } = await begin();
    for (const bytes of ["nonsense\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "GET / HTTP/9.9\r\n\r\n"]) {
      assertError(await exchangeBytes(port, bytes), 400, "bad_http");
    }
    const both = head(["content-length: 5", "transfer-encoding: chunked"]);
    assertError(await exchangeBytes(port, both), 400, "bad_http");
  });

  test("with too many header bytes are 431", async () => {
    const { port } = await begin();
    const bytes = head([`x-long: ${"x".repeat(20_000)}`]);
    assertError(await exchangeBytes(port, bytes), 431, "headers_too_large");
  });

  test("with too many headers are 431, however short they are", async () => {
    const { desk, port } = await begin();
    const many = (count: number): string =>
      head([...Array.from({ length: count }, (_, index) => `x${index}:`), `content-length: ${CHAT.length}`]);
    for (const count of [120, 2500]) {
      assertError(await exchangeBytes(port, many(count) + CHAT), 431, "headers_too_large");
    }
    assert.equal(desk.exchanges.length, 0);
    const taken = many(90).replace("x0:", "connection: close");
    assert.equal((await exchangeBytes(port, taken + CHAT)).status, 200);
  });

  test("with a URL that is too long are 414, be it within the parser's own limit or not", async () => {
    const { port } = await begin();
    for (const length of [8100, 8200, 20_000, 60_000]) {
      const line = `GET /healthz?${"x".repeat(length)} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`;
      const answer = await exchangeBytes(port, line);
      if (length === 8100) assert.equal(answer.status, 200);
      else assert.deepEqual([answer.status, answer.body.includes('"url_too_long"')], [414, true], answer.text);
    }
  });

  test("over a limit that is configured are told so, and those within it are served", async () => {
    const { desk, port } = await begin({ maxUrlBytes: 100, maxHeaders: 4, maxHeaderBytes: 2000, maxJsonDepth: 8 });
    const get = (url: string, headers: readonly string[]): Promise<RawAnswer> =>
      exchangeBytes(
        port,
        [`GET ${url} HTTP/1.1`, "host: 127.0.0.1", "connection: close", ...headers, "", ""].join("\r\n"),
      );
    const urlOf = (bytes: number): string => `/healthz?${"x".repeat(bytes - "/healthz?".length)}`;
    assert.equal((await get(urlOf(100), [])).status, 200);
    assert.match((await get(urlOf(101), [])).text, / 414 [^]*"url_too_long"/);
    assert.match((await get(urlOf(2500), [])).text, / 414 [^]*"url_too_long"/);
    assert.equal((await get("/healthz", ["a: 1", "b: 2"])).status, 200);
    assert.match((await get("/healthz", ["a: 1", "b: 2", "c: 3"])).text, / 431 [^]*"headers_too_large"/);
    assert.equal((await get("/healthz", [`a: ${"x".repeat(1800)}`])).status, 200);
    assert.match((await get("/healthz", [`a: ${"x".repeat(2000)}`])).text, / 431 [^]*"headers_too_large"/);
    const chatOfDepth = (levels: number): string => {
      const deep = "[".repeat(levels - 1) + "]".repeat(levels - 1);
      const body = `{"model":"m","messages":[{"role":"user","content":"Hi"}],"deep":${deep}}`;
      return head([`content-length: ${body.length}`, "connection: close"]) + body;
    };
    assert.equal((await exchangeBytes(port, chatOfDepth(8))).status, 200);
    const tooDeep = await exchangeBytes(port, chatOfDepth(9));
    assert.match(
      tooDeep.text,
      / 400 [^]*"The body nests objects and arrays too deeply: more than 8 levels\.[^]*"json_too_deep"/,
    );
    assert.equal(desk.exchanges.length, 1);
  });

  test("in the middle of a streamed answer cut it off and are not answered inside it", async () => {
    const { desk, port } = await begin();
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.from("data: 1\n\n"));
      exchange.commit();
    };
    const socket = await open(port);
    const reading = readToEnd(socket);
    socket.write(head([`content-length: ${CHAT.length}`]) + CHAT);
    await until("it streams", () => socket.bytesRead > 0);
    socket.write("nonsense\r\n\r\n");
    const text = await reading;
    assert.match(text, /data: 1/);
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1, text);
    await until("the desk hears that the client is gone", () => desk.gone.length === 1);
  });
});

describe("a client that is slow or leaves", () => {
  test("an upload that stops is 408 and its connection is closed, whatever the client does", async () => {
    const { desk, port } = await begin({ uploadTimeoutMs: 300 });
    // This client never closes its own side, as one that wants to hold connections would not.
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.write(`${head(["content-length: 500"])}{"model"`);
    await once(socket, "end");
    assertError(parseAnswer(Buffer.concat(parts).toString()), 408, "request_timeout");
    // Writing to a connection that is closed on the other side is an error, which closes it here.
    const writing = setInterval(() => socket.write("x"), 5);
    await until("the connection is closed", () => socket.destroyed);
    clearInterval(writing);
    assert.deepEqual([desk.exchanges.length, desk.limits], [0, ["upload_timeout"]]);
  });

  test("headers that never end are 408", async () => {
    const { port } = await begin({ uploadTimeoutMs: 300 });
    const socket = await open(port);
    const reading = readToEnd(socket);
    socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ");
    assertError(parseAnswer(await reading), 408, "request_timeout");
  });

  test("one that leaves in its upload is no request and no harm", async () => {
    const { desk, port } = await begin();
    for (let round = 0; round < 5; round += 1) {
      const socket = await open(port);
      socket.write(`${head(["content-length: 500"])}{"model"`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      socket.destroy();
    }
    const answer = await exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    assert.equal(answer.status, 200);
    assert.equal(desk.exchanges.length, 1);
  });

  test("one that leaves before its answer is told to the desk", async () => {
    const { desk, port } = await begin();
    desk.onArrive = () => {};
    const socket = await open(port);
    socket.write(head([`content-length: ${CHAT.length}`]) + CHAT);
    await until("it arrives", () => desk.exchanges.length === 1);
    socket.destroy();
    await until("the desk hears of it", () => desk.gone.length === 1);
    assert.deepEqual(desk.gone, [desk.exchanges[0]?.job.requestId]);
  });

  test("one whose answer is complete is not said to have left", async () => {
    const { desk, port } = await begin();
    await exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(desk.gone, []);
  });
});

describe("the local guard", () => {
  const get = (host: string): string => `GET /v1/models HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

  test("takes hosts that mean this machine and no others, however like they look", async () => {
    const { port } = await begin();
    for (const host of ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "a.localhost"]) {
      assert.equal((await exchangeBytes(port, get(host))).status, 200, host);
    }
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "10.0.0.1",
      "0.0.0.0",
      "",
    ]) {
      assert.equal((await exchangeBytes(port, get(host))).status, 403, host);
    }
  });
});

describe("answers", () => {
  test("a failure before the commit is a whole answer, after it one event and no [DONE]", async () => {
    const { desk, port } = await begin();
    const ask = (): Promise<RawAnswer> =>
      exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    const failure = { code: "upstream_broken", detail: null, retryAfterMs: 1200, relay: null } as const;
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.from("data: held\n\n"));
      exchange.fail(failure);
    };
    const before = await ask();
    assertError(before, 502, "upstream_broken");
    assert.equal(before.headers["retry-after"], "2");
    assert.ok(!before.text.includes("held"));
    desk.onArrive = (exchange) => {
      exchange.commit();
      exchange.write(Buffer.from("data: sent\n\n"));
      exchange.fail(failure);
      exchange.fail(failure);
    };
    const late = await ask();
    assert.equal(late.status, 200);
    assert.match(late.body, /data: sent\n\n/);
    assert.equal(late.body.match(/"code":"upstream_broken"/g)?.length, 1);
    assert.ok(!late.body.includes("[DONE]"));
  });

  test("a stream is chunked, each piece whole in a chunk of its own and none for no bytes, but not for HTTP/1.0", async () => {
    const { desk, port } = await begin();
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.from("data: held\n\n"));
      exchange.commit();
      exchange.write(Buffer.alloc(0));
      exchange.write(Buffer.from("data: é\n\n"));
      exchange.end();
    };
    const asked = head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT;
    const newer = await exchangeBytes(port, asked);
    assert.equal(newer.headers["transfer-encoding"], "chunked");
    assert.equal(newer.body, "c\r\ndata: held\n\n\r\na\r\ndata: é\n\n\r\n0\r\n\r\n");
    const older = await exchangeBytes(port, asked.replace("HTTP/1.1", "HTTP/1.0"));
    assert.equal(older.headers["transfer-encoding"], undefined);
    assert.equal(older.body, "data: held\n\ndata: é\n\n");
  });

  test("an upstream's own error is passed on with its status and its headers", async () => {
    const { desk, port } = await begin();
    const body = Buffer.from('{"error":{"message":"slow down","type":"x","param":null,"code":"y"}}');
    const relay = { status: 429, headers: { "retry-after": "7", "x-ratelimit-limit-requests": "60" }, body };
    desk.onArrive = (exchange) => exchange.fail({ code: "upstream_error", detail: null, retryAfterMs: 7000, relay });
    const answer = await exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    assert.deepEqual([answer.status, answer.headers["retry-after"]], [429, "7"]);
    assert.equal(answer.headers["x-ratelimit-limit-requests"], "60");
    assert.deepEqual(JSON.parse(answer.body), JSON.parse(body.toString()));
  });

  test("members that the backend was not told are named in a header, unless a fallback was told them", async () => {
    const { desk, port } = await begin();
    const ask = (): Promise<RawAnswer> =>
      exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    const answer = (exchange: Exchange): void => {
      exchange.commit();
      exchange.end();
    };
    desk.onArrive = (exchange) => {
      exchange.dropped(["seed", "tools.0.caf\u00e9\r\nx-evil: 1"]);
      answer(exchange);
    };
    assert.equal((await ask()).headers["x-baseload-dropped"], "seed, tools.0.caf???x-evil: 1");
    desk.onArrive = (exchange) => {
      exchange.dropped(["seed"]);
      exchange.discard();
      answer(exchange);
    };
    assert.equal((await ask()).headers["x-baseload-dropped"], undefined);
  });

  test("what a fallback discards never reaches the client", async () => {
    const { desk, port } = await begin();
    desk.onArrive = (exchange) => {
      exchange.write(Buffer.from("data: first try\n\n"));
      exchange.discard();
      exchange.write(Buffer.from("data: second try\n\n"));
      exchange.commit();
      exchange.end();
    };
    const answer = await exchangeBytes(port, head([`content-length: ${CHAT.length}`, "connection: close"]) + CHAT);
    assert.match(answer.body, /second try/);
    assert.ok(!answer.body.includes("first try"));
  });
});

describe("a request target", () => {
  test("in absolute form is answered like the path in it", async () => {
    const { port } = await begin();
    const answer = await exchangeBytes(
      port,
      "GET http://127.0.0.1/healthz?x=1 HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
    );
    assert.equal(answer.status, 200, answer.text);
  });

  test("without a host is refused in our own words", async () => {
    const { port } = await begin();
    const answer = await exchangeBytes(port, "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.body, /"code":"bad_http"/);
  });
});
