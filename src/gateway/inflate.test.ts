import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { exchangeBytes, open, type RawAnswer } from "../../test/fakes/http.ts";
import { startGateway } from "../../test/fakes/running-gateway.ts";

const MAX_BODY_BYTES = 1_000_000;
const { desk, port } = await startGateway({ maxBodyBytes: MAX_BODY_BYTES });

const CHAT = JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi ".repeat(50_000) }] });

const brotliOfWindow = (bytes: Buffer, window: number): Buffer =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_LGWIN]: window, [constants.BROTLI_PARAM_QUALITY]: 4 },
  });
const COMPRESSIONS: readonly (readonly [string, string, (bytes: Buffer) => Buffer])[] = [
  ["gzip", "gzip", gzipSync],
  ["x-gzip in capitals", "X-GZIP", gzipSync],
  [
    "gzip in two members",
    "gzip",
    (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 99)), gzipSync(bytes.subarray(99))]),
  ],
  ["deflate", "deflate", deflateSync],
  ["deflate without its header", "deflate", deflateRawSync],
  ["br", "br", (bytes) => brotliOfWindow(bytes, 24)],
  ["zstd", "zstd", zstdCompressSync],
];

function head(encoding: string, headers: readonly string[]): string {
  const lines = ["POST /v1/chat/completions HTTP/1.1", "host: 127.0.0.1", `content-encoding: ${encoding}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Posts these bytes; in chunks of `size` where it is given. */
function post(encoding: string, body: Buffer, size: number | null = null): Promise<RawAnswer> {
  const close = "connection: close";
  if (size === null)
    return exchangeBytes(
      port,
      Buffer.concat([Buffer.from(head(encoding, [close, `content-length: ${body.length}`])), body]),
    );
  const parts: Buffer[] = [Buffer.from(head(encoding, [close, "transfer-encoding: chunked"]))];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return exchangeBytes(port, Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]));
}

function codeOf(answer: RawAnswer): string {
  return (JSON.parse(answer.body) as { error: { code: string } }).error.code;
}

describe("a compressed body", () => {
  for (const [what, encoding, compress] of COMPRESSIONS) {
    test(`by ${what} arrives as it was before`, async () => {
      for (const size of [null, 7]) {
        const answer = await post(encoding, compress(Buffer.from(CHAT)), size);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(desk.exchanges.at(-1)?.body.toString(), CHAT);
        assert.equal(desk.exchanges.at(-1)?.job.bodyBytes, CHAT.length);
      }
    });

    test(`by ${what} that is cut, empty or something else is refused`, async () => {
      const whole = compress(Buffer.from(CHAT));
      const before = desk.exchanges.length;
      for (const body of [whole.subarray(0, -12), Buffer.alloc(0), Buffer.from("{".repeat(50))]) {
        const answer = await post(encoding, body);
        assert.equal(answer.status, 400, answer.text);
        assert.ok(["invalid_encoding", "invalid_json"].includes(codeOf(answer)), answer.text);
      }
      assert.equal(desk.exchanges.length, before);
    });
  }

  test("by two compressions, or one that nobody knows, is 415", async () => {
    for (const encoding of ["gzip, gzip", "compress", "constructor", "*"]) {
      assert.equal(codeOf(await post(encoding, gzipSync(CHAT))), "unsupported_encoding");
    }
  });
});

describe("a bomb", () => {
  test("is refused where it crosses the limit, and takes no memory", async () => {
    const zeros = Buffer.alloc(60_000_000);
    const bombs = COMPRESSIONS.filter(([what]) => ["gzip", "deflate", "br", "zstd"].includes(what)).map(
      ([, encoding, compress]) => ({ encoding, body: compress(zeros) }),
    );
    for (const { encoding, body } of bombs) {
      assert.ok(body.length < MAX_BODY_BYTES, `${encoding} makes it small`);
      const before = process.memoryUsage().rss;
      const answers = await Promise.all(Array.from({ length: 10 }, () => post(encoding, body)));
      const grown = process.memoryUsage().rss - before;
      for (const answer of answers) assert.equal(codeOf(answer), "request_too_large");
      assert.ok(grown < 150_000_000, `${encoding}: memory grew by ${grown} bytes`);
    }
  });

  test("whose client leaves in the middle is no harm", async () => {
    const body = gzipSync(CHAT);
    for (let round = 0; round < 20; round += 1) {
      const socket = await open(port);
      socket.write(head("gzip", [`content-length: ${body.length}`]));
      socket.write(body.subarray(0, 100));
      socket.destroy();
    }
    assert.equal((await post("gzip", body)).status, 200);
  });
});
