/**
 * The yardstick of the benchmark: the least that a proxy on this stack can do. node:http at the door and undici's
 * `Pool.dispatch` behind it, tuned: no promise, stream or AbortController, headers as arrays, no limits on time, no date, and
 * a whole answer written by one call. It parses the request, as anything that routes by model must, and checks nothing.
 * Run as a child with the upstream's port; tells its own port to the parent.
 */
import { createServer, type ServerResponse } from "node:http";
import { type Dispatcher, Pool } from "undici";

const upstream = new Pool(`http://127.0.0.1:${process.argv[2]}`, {
  connectTimeout: 0,
  headersTimeout: 0,
  bodyTimeout: 0,
  allowH2: false,
});

const HEADERS = ["content-type", "application/json"];
const STREAM_HEADERS = ["content-type", "text/event-stream"];

class Relay implements Dispatcher.DispatchHandler {
  readonly #res: ServerResponse;
  readonly #stream: boolean;
  #controller: Dispatcher.DispatchController | null = null;
  readonly #parts: Buffer[] = [];

  constructor(res: ServerResponse, stream: boolean) {
    this.#res = res;
    this.#stream = stream;
    res.on("close", () => {
      if (!res.writableFinished) this.#controller?.abort(new Error("client gone"));
    });
    res.on("drain", () => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (this.#stream) this.#res.writeHead(status, STREAM_HEADERS);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#stream) this.#parts.push(chunk);
    else if (!this.#res.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#stream) {
      this.#res.end();
      return;
    }
    const body = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    this.#res.writeHead(200, [...HEADERS, "content-length", String(body.length)]);
    this.#res.end(body);
  }

  onResponseError(): void {
    this.#res.destroy();
  }
}

const server = createServer((req, res) => {
  res.sendDate = false;
  const parts: Buffer[] = [];
  req.on("data", (chunk: Buffer) => parts.push(chunk));
  req.on("end", () => {
    const body = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    const { stream } = JSON.parse(body.toString("utf8")) as { readonly stream?: boolean };
    const options: Dispatcher.DispatchOptions = { path: req.url ?? "/", method: "POST", headers: HEADERS, body };
    upstream.dispatch(options, new Relay(res, stream === true));
  });
});

process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", 1024, () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
});
