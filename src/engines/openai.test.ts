import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createPlainServer, type Server as PlainServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readStream } from "../../test/engine-conformance/reading.ts";
import { engineConformance } from "../../test/engine-conformance/suite.ts";
import { type CaseName, send, type Subject } from "../../test/engine-conformance/subject.ts";
import { startMute } from "../../test/fakes/mute-server.ts";
import { MOCK_MODELS } from "../../test/upstream/behaviours.ts";
import { startMock } from "../../test/upstream/mock-upstream.ts";
import { until } from "../../test/until.ts";
import { OpenAiEngine, type OpenAiOptions } from "./openai.ts";

const DEFAULTS: OpenAiOptions = {
  url: "http://127.0.0.1:9/v1",
  socketPath: null,
  key: null,
  headers: {},
  maxAnswerBytes: 8 * 1024 * 1024,
  discoverModels: true,
  speaks: ["chat", "completions"],
  onLoss: "refuse",
};

/** Model names of the mock by what they make it do. */
const MODELS: Readonly<Record<CaseName, string>> = {
  complete: "ok",
  endless: "endless",
  large: "flood-32",
  echo: "echo-body",
  withoutUsage: "ok-no-usage",
  withoutDone: "no-done",
  silent: "silent",
  headersOnly: "silent-after-headers",
  commentsOnly: "silent-comments",
  stalls: "stalls-mid-stream",
  failsBeforeHeaders: "dies-before-headers",
  failsBeforeContent: "dies-before-content",
  failsMidStream: "dies-mid-stream",
  failsByEndingEarly: "ends-early",
  failsByEndingEmpty: "ends-empty",
  failsByErrorEvent: "error-in-stream",
  failsByErrorEventFirst: "error-first-in-stream",
  failsByNotJson: "lies-not-json",
  failsByHtml: "lies-html",
  failsByErrorWithStatus200: "lies-json-error",
  failsWith400: "error-400",
  failsWith401: "error-401",
  failsWith429Seconds: "rate-limited",
  failsWith429Date: "rate-limited-date",
  failsWith500: "error-500",
};

async function overMock(change: Partial<OpenAiOptions> = {}): Promise<Subject> {
  const mock = await startMock();
  const engine = new OpenAiEngine({ ...DEFAULTS, url: mock.baseUrl, ...change });
  const recordOf = (id: string) => mock.requests.find(({ headers }) => headers["x-request-id"] === id);
  return {
    engine,
    isBusyUpstream: (id) => {
      const record = recordOf(id);
      return Promise.resolve(record !== undefined && record.closedAtMs === null);
    },
    sentBytes: (id) => recordOf(id)?.sentBytes ?? null,
    close: async () => {
      await engine.close();
      await mock.close();
    },
  };
}

engineConformance({
  name: "an OpenAI-compatible server",
  make: () => overMock(),
  models: Object.fromEntries(Object.entries(MODELS).map(([name, model]) => [name, { model }])) as Record<
    CaseName,
    { model: string }
  >,
  unreachable: () => new OpenAiEngine(DEFAULTS),
  unconnectable: async () => {
    const mute = await startMute();
    const engine = new OpenAiEngine({ ...DEFAULTS, url: `https://127.0.0.1:${mute.port}/v1` });
    return {
      engine,
      isBusyUpstream: () => Promise.resolve(false),
      sentBytes: () => null,
      close: async () => {
        await engine.close();
        mute.close();
      },
    };
  },
  limited: (maxAnswerBytes) => overMock({ maxAnswerBytes }),
  report: { state: "up", models: MOCK_MODELS, contextTokens: null },
});

function listen(server: PlainServer, at: number | string): Promise<number> {
  return new Promise((resolve) => {
    const done = (): void => resolve((server.address() as AddressInfo).port);
    if (typeof at === "string") server.listen(at, () => resolve(0));
    else server.listen(at, "127.0.0.1", done);
  });
}

const CHUNK = '{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}';
const LAST = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}';
const GOOD = `data: ${CHUNK}\n\ndata: ${LAST}\n\ndata: [DONE]\n\n`;

interface Seen {
  readonly requests: IncomingMessage[];
  readonly sockets: Set<Socket>;
  readonly server: Server;
  readonly url: string;
}

/** A server that answers by hand, to see what a request looks like and to say odd things. */
async function byHand(
  answer: (req: IncomingMessage, res: ServerResponse) => void,
  check: (seen: Seen) => Promise<void>,
  at: number | string = 0,
): Promise<void> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((req, res) => {
    requests.push(req);
    req.resume().on("end", () => answer(req, res));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const port = await listen(server, at);
  try {
    await check({ requests, sockets, server, url: `http://127.0.0.1:${port}` });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function stream(res: ServerResponse, text: string): void {
  res.writeHead(200, { "content-type": "text/event-stream" }).write(text);
}

const good = (_req: IncomingMessage, res: ServerResponse): void => {
  stream(res, GOOD);
  res.end();
};

describe("how an OpenAI-compatible server is addressed", () => {
  test("over a unix socket, by the path of the URL", async () => {
    const dir = mkdtempSync(join(tmpdir(), "openai-"));
    const socketPath = join(dir, "engine.sock");
    await byHand(
      good,
      async ({ requests }) => {
        const engine = new OpenAiEngine({ ...DEFAULTS, url: "http://localhost/v1", socketPath });
        await send(engine, { model: "m" }).sink.success();
        assert.equal(requests[0]?.url, "/v1/chat/completions");
        await engine.close();
      },
      socketPath,
    );
    rmSync(dir, { recursive: true });
  });

  test("by a base URL with a path, with or without a slash at its end", async () => {
    await byHand(good, async ({ requests, url }) => {
      for (const base of [`${url}/team/llm/v1`, `${url}/team/llm/v1/`]) {
        const engine = new OpenAiEngine({ ...DEFAULTS, url: base });
        await send(engine, { model: "m" }).sink.success();
        await send(engine, { model: "m" }, { endpoint: "completions" }).sink.success();
        await engine.probe();
        await engine.close();
      }
      const paths = ["/team/llm/v1/chat/completions", "/team/llm/v1/completions", "/team/llm/v1/models"];
      assert.deepEqual(
        requests.map((req) => req.url),
        [...paths, ...paths],
      );
    });
  });

  test("with its key, the extra headers, the client's request id, and no compression", async () => {
    await byHand(good, async ({ requests, url }) => {
      const engine = new OpenAiEngine({
        ...DEFAULTS,
        url: `${url}/v1`,
        key: "sk-upstream",
        headers: { "X-Org": "acme", "HTTP-Referer": "https://example.org" },
      });
      const { order, sink } = send(engine, { model: "m" });
      await sink.success();
      await engine.probe();
      const [sent, probed] = requests;
      assert.equal(sent?.headers.authorization, "Bearer sk-upstream");
      assert.equal(probed?.headers.authorization, "Bearer sk-upstream");
      assert.equal(sent.headers["x-org"], "acme");
      assert.equal(sent.headers["http-referer"], "https://example.org");
      assert.equal(sent.headers["x-request-id"], order.clientRequestId);
      assert.equal(sent.headers["accept-encoding"], "identity");
      assert.equal(sent.headers["content-type"], "application/json");
      assert.equal(sent.headers["content-length"], String(order.body.length));
      await engine.close();
    });
  });

  test("without a key no authorization is sent", async () => {
    await byHand(good, async ({ requests, url }) => {
      const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
      await send(engine, { model: "m" }).sink.success();
      assert.equal("authorization" in (requests[0]?.headers ?? {}), false);
      await engine.close();
    });
  });

  test("one connection serves one request after another", async () => {
    await byHand(good, async ({ requests, url }) => {
      const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
      for (let round = 0; round < 5; round += 1) await send(engine, { model: "m" }).sink.success();
      assert.equal(new Set(requests.map((req) => req.socket.remotePort)).size, 1);
      await engine.close();
    });
  });

  test("a server without a list of models is down only where the names are needed", async () => {
    const answer = (_req: IncomingMessage, res: ServerResponse): void => void res.writeHead(404).end("{}");
    await byHand(answer, async ({ url }) => {
      for (const [modelsAreOptional, state] of [
        [false, "down"],
        [true, "up"],
      ] as const) {
        const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1`, modelsAreOptional });
        assert.deepEqual(await engine.probe(), { state, models: null, contextTokens: null });
        await engine.close();
      }
    });
  });

  test("a probe that does not ask for models says only that it is up", async () => {
    const subject = await overMock({ discoverModels: false });
    assert.deepEqual(await subject.engine.probe(), { state: "up", models: null, contextTokens: null });
    await subject.close();
  });
});

describe("what an upstream may do wrong on the wire", () => {
  async function failing(
    text: string,
  ): Promise<{ readonly code: string; readonly text: string; readonly made: string }> {
    const seen = { code: "", text: "", made: "" };
    const answer = (_req: IncomingMessage, res: ServerResponse): void => {
      stream(res, text);
      res.end();
    };
    await byHand(answer, async ({ url }) => {
      const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
      const { sink } = send(engine, { model: "m" });
      const failure = await sink.failure();
      Object.assign(seen, {
        code: failure.code,
        text: readStream(sink.output).text,
        made: failure.made.outputText,
      });
      await engine.close();
    });
    return seen;
  }

  test("content in the same bytes as an error event still reaches the client, who is charged for it", async () => {
    const error = 'data: {"error":{"message":"broke"}}\n\n';
    assert.deepEqual(await failing(`data: ${CHUNK}\n\n${error}`), { code: "upstream_error", text: "Hi", made: "Hi" });
    assert.deepEqual(await failing(`data: ${CHUNK}\n\ndata: nonsense\n\n`), {
      code: "upstream_bad_response",
      text: "Hi",
      made: "Hi",
    });
  });

  test("a stream cut inside its last event is broken", async () => {
    assert.equal((await failing(`data: ${CHUNK}\n\ndata: {"cho`)).code, "upstream_broken");
  });

  test("an upstream that holds its connection open after [DONE] is closed by the watch, and the answer is good", async () => {
    await byHand(
      (_req, res) => stream(res, GOOD),
      async ({ url, sockets }) => {
        const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
        const { sink } = send(engine, { model: "m" }, { watch: { idleMs: 100 } });
        await sink.success();
        assert.equal(sockets.size, 1);
        await until("the connection is closed", () => sockets.size === 0);
        assert.deepEqual(sink.kinds, ["first", "bytes", "finished"]);
        await engine.close();
      },
    );
  });

  test("what comes after [DONE] is not passed on", async () => {
    const answer = (_req: IncomingMessage, res: ServerResponse): void => {
      stream(res, GOOD + GOOD);
      res.end(GOOD);
    };
    await byHand(answer, async ({ url }) => {
      const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
      const { sink } = send(engine, { model: "m" });
      assert.equal((await sink.success()).made.outputText, "Hi");
      assert.equal(readStream(sink.output).dones, 1);
      await engine.close();
    });
  });

  test("answers that are not HTTP are a bad response", async () => {
    const server = createPlainServer((socket) => {
      socket.on("error", () => {});
      // Once the request is there, or the connection would be reset with it unread.
      socket.once("data", () => socket.end("SSH-2.0-not-http\r\n"));
    });
    const port = await listen(server, 0);
    const engine = new OpenAiEngine({ ...DEFAULTS, url: `http://127.0.0.1:${port}/v1` });
    assert.equal((await send(engine, { model: "m" }).sink.failure()).code, "upstream_bad_response");
    await engine.close();
    server.close();
  });

  for (const status of [204, 301, 304]) {
    test(`status ${status} is a bad response`, async () => {
      const answer = (_req: IncomingMessage, res: ServerResponse): void => void res.writeHead(status).end();
      await byHand(answer, async ({ url }) => {
        const engine = new OpenAiEngine({ ...DEFAULTS, url: `${url}/v1` });
        const failure = await send(engine, { model: "m" }).sink.failure();
        assert.deepEqual([failure.code, failure.status], ["upstream_bad_response", status]);
        await engine.close();
      });
    });
  }
});
