/**
 * A server that says what a fixture says and answers in its kind's dialect. Its models are what it is made to do: `ok`, `endless`,
 * `echo`, `silent`, `no-usage`, `busy`, and `error-STATUS`; any other name is answered as `ok` is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DIALECTS, type FakeDialect } from "./dialects.ts";
import type { Fixture } from "./fixtures.ts";

/** A completion that was asked for. */
export interface FakeRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  sentBytes: number;
  isOpen: boolean;
}

/** What goes wrong at an endpoint. */
export type Fault =
  | "missing"
  | "garbage"
  | "huge"
  | "silent"
  | "broken"
  | { readonly status: number; readonly body: string };

const PIECES = ["Hel", "lo", " there", "."];
const PROMPT_TOKENS = 12;

/** A fake engine under way. Owned by its test. */
export class FakeEngine {
  readonly baseUrl: string;
  readonly requests: FakeRequest[] = [];
  /** Paths that were asked for by GET, in order. */
  readonly asked: string[] = [];
  /** What goes wrong, by path. */
  readonly faults = new Map<string, Fault>();
  readonly #server: Server;
  readonly #fixture: Fixture;
  readonly #dialect: FakeDialect;

  constructor(server: Server, fixture: Fixture) {
    this.#server = server;
    this.#fixture = fixture;
    this.#dialect = DIALECTS[fixture.kind];
    this.baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    server.on("request", (req: IncomingMessage, res: ServerResponse) => void this.#take(req, res));
  }

  static async start(fixture: Fixture): Promise<FakeEngine> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FakeEngine(server, fixture);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? "";
    if (req.method === "GET") return this.#tell(path, res);
    const parts: Buffer[] = [];
    for await (const part of req as AsyncIterable<Buffer>) parts.push(part);
    const record: FakeRequest = {
      headers: req.headers,
      body: Buffer.concat(parts).toString(),
      sentBytes: 0,
      isOpen: true,
    };
    this.requests.push(record);
    res.on("close", () => {
      record.isOpen = false;
    });
    await this.#complete(record, res, path.endsWith("/chat/completions"));
  }

  #tell(path: string, res: ServerResponse): void {
    this.asked.push(path);
    const fault = this.faults.get(path);
    const body = this.#fixture.bodies.get(path);
    if (fault === "silent") return;
    if (fault === "broken") return void res.destroy();
    if (fault === "garbage") return void res.end("<html><body>It works!</body></html>");
    if (fault === "huge") return void res.end(Buffer.alloc(5 * 1024 * 1024, "# x\n"));
    if (typeof fault === "object") return void res.writeHead(fault.status).end(fault.body);
    if (body === undefined || fault === "missing") {
      const { status, body: words } = this.#dialect.notFound(path);
      return void res.writeHead(status).end(words);
    }
    res.writeHead(200, { "content-type": path.includes("metrics") ? "text/plain" : "application/json" }).end(body);
  }

  async #complete(record: FakeRequest, res: ServerResponse, isChat: boolean): Promise<void> {
    const ask = JSON.parse(record.body) as {
      model: string;
      stream?: boolean;
      stream_options?: { include_usage?: boolean };
    };
    const { error, busy } = this.#dialect;
    if (ask.model === "silent") return;
    const failed = /^error-(\d+)$/.exec(ask.model)?.[1];
    if (failed !== undefined || ask.model === "busy") {
      const status = failed === undefined ? busy.status : Number(failed);
      const message = failed === undefined ? busy.message : "It cannot be done.";
      res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(error(status, message)));
      return;
    }
    const pieces = ask.model === "echo" ? [record.body] : PIECES;
    const answer = { res, record, isChat, model: ask.model };
    if (ask.stream !== true) return this.#whole(answer, pieces);
    await this.#stream(answer, pieces, ask.stream_options?.include_usage === true);
  }

  #whole({ res, isChat, model }: FakeAnswer, pieces: readonly string[]): void {
    const text = pieces.join("");
    const choice = isChat ? { message: { role: "assistant", content: text } } : { text };
    const { common, usage, last } = this.#dialect;
    const body = {
      id: "cmpl-1",
      object: isChat ? "chat.completion" : "text_completion",
      created: 1,
      model,
      choices: [{ index: 0, ...choice, finish_reason: "stop" }],
      ...(model === "no-usage"
        ? {}
        : { usage: usage(PROMPT_TOKENS, pieces.length), ...last(PROMPT_TOKENS, pieces.length) }),
      ...common,
    };
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  async #stream(answer: FakeAnswer, pieces: readonly string[], wantsUsage: boolean): Promise<void> {
    const { res, isChat, model } = answer;
    const { usage, last } = this.#dialect;
    const delta = (text: string): object => (isChat ? { delta: { content: text } } : { text });
    res.writeHead(200, { "content-type": "text/event-stream" });
    if (isChat)
      await this.#event(answer, [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]);
    const isEndless = (): boolean => model === "endless" && answer.record.isOpen;
    do {
      for (const piece of pieces) await this.#event(answer, [{ index: 0, ...delta(piece), finish_reason: null }]);
    } while (isEndless());
    await this.#event(answer, [{ index: 0, ...delta(""), finish_reason: "stop" }]);
    if (wantsUsage && model !== "no-usage") {
      const counts = { usage: usage(PROMPT_TOKENS, pieces.length), ...last(PROMPT_TOKENS, pieces.length) };
      await this.#event(answer, [], counts);
    }
    res.end("data: [DONE]\n\n");
  }

  async #event(
    { res, record, isChat, model }: FakeAnswer,
    choices: readonly object[],
    more: object = {},
  ): Promise<void> {
    const object = isChat ? "chat.completion.chunk" : "text_completion";
    const chunk = { id: "cmpl-1", object, created: 1, model, choices, ...this.#dialect.common, ...more };
    const text = `data: ${JSON.stringify(chunk)}\n\n`;
    record.sentBytes += text.length;
    const isRoom = res.write(text);
    await new Promise<void>((resolve) =>
      isRoom || !record.isOpen ? setImmediate(resolve) : res.once("drain", resolve).once("close", resolve),
    );
  }
}

interface FakeAnswer {
  readonly res: ServerResponse;
  readonly record: FakeRequest;
  readonly isChat: boolean;
  readonly model: string;
}
