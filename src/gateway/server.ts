import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../base/errors.ts";
import { errorRow } from "../base/errors.ts";
import { isUuid } from "../base/ids.ts";
import type { Endpoint } from "../base/job.ts";
import type { Desk } from "../ports/desk.ts";
import { errorEnvelope } from "../wire/error.ts";
import { identify, type KeyHolder, type KeyRing } from "./access.ts";
import { type FlatHeaders, sendError, sendJson } from "./answers.ts";
import { Door } from "./door.ts";
import { type Operation, operationOf, Operator } from "./operator.ts";

/** How the gateway serves. */
export interface GatewayOptions {
  readonly keys: KeyRing;
  readonly maxBodyBytes: number;
  readonly uploadTimeoutMs: number;
  readonly defaultClass: string;
  readonly version: string;
}

const COMPLETIONS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
};

const RECEIPTS = "/api/receipts/";
const TIMEOUT_CHECK_MS = 1000;
const KEEP_ALIVE_MS = 75_000;

/** HTTP: routes, keys and streaming. Requests become exchanges for the desk; it decides nothing about them. */
export class Gateway {
  readonly #desk: Desk;
  #options: GatewayOptions;
  readonly #door: Door;
  readonly #operator: Operator;
  readonly #server: Server;
  readonly #startedSeconds: number;
  /** Answers whose last bytes have not gone out, be they made already or not. */
  #answering = 0;
  #onQuiet: (() => void) | null = null;
  /** The latest answer of each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();

  constructor(desk: Desk, options: GatewayOptions) {
    this.#desk = desk;
    this.#options = options;
    this.#door = new Door(desk, options);
    this.#operator = new Operator(desk);
    this.#startedSeconds = Math.floor(Date.now() / 1000);
    this.#server = createServer({
      requestTimeout: options.uploadTimeoutMs,
      headersTimeout: options.uploadTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Node's own refusal has no body; ours has the error's words.
      requireHostHeader: false,
    });
    this.#server.on("request", (req, res) => {
      this.#answers.set(req.socket, res);
      this.#answering += 1;
      res.on("close", () => {
        this.#answering -= 1;
        if (this.#answering === 0) this.#onQuiet?.();
      });
      this.#route(req, res);
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      refuseBytes(error, { socket: socket as Socket, answer: this.#answers.get(socket) ?? null });
    });
  }

  /** Serves by other keys and limits from the next request on; one whose body is still coming ends by the old ones. */
  configure(options: GatewayOptions): void {
    this.#options = options;
    this.#door.configure(options);
    this.#server.requestTimeout = options.uploadTimeoutMs;
    this.#server.headersTimeout = options.uploadTimeoutMs;
  }

  /** Begins to listen; resolves to the port, which differs from `port` when that is 0. Rejects when it cannot. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Takes no new connections; what comes on open ones is still answered. */
  stopListening(): void {
    // http.Server's own `close` also cuts connections whose answer was handed over but has not gone out in full.
    NetServer.prototype.close.call(this.#server);
  }

  /** Closes every connection once no answer is under way, at the latest after `deadlineMs`. */
  async finish(deadlineMs: number): Promise<void> {
    if (this.#answering > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.#onQuiet = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#server.closeAllConnections();
  }

  #route(req: IncomingMessage, res: ServerResponse): void {
    res.sendDate = false;
    if (this.#desk.stopping) res.shouldKeepAlive = false;
    if (req.headers.host === undefined && req.httpVersion === "1.1") return refuse(req, res, { code: "bad_http" });
    const path = pathOf(req.url ?? "/");
    const endpoint = COMPLETIONS[path];
    if (endpoint !== undefined) {
      if (req.method !== "POST") return refuse(req, res, { code: "method_not_allowed", headers: ["allow", "POST"] });
      const holder = this.#identify(req, res);
      if (holder !== null) this.#door.take(req, res, { endpoint, holder });
      return;
    }
    const operation = operationOf(path);
    if (operation === null) this.#routeRead(req, res, path);
    else this.#operate(req, res, operation);
  }

  #operate(req: IncomingMessage, res: ServerResponse, operation: Operation): void {
    const isRead = operation.verb === null;
    const allowed = isRead ? req.method === "GET" || req.method === "HEAD" : req.method === "POST";
    if (!allowed)
      return refuse(req, res, { code: "method_not_allowed", headers: ["allow", isRead ? "GET, HEAD" : "POST"] });
    const holder = this.#identify(req, res);
    if (holder === null) return;
    if (holder.admin !== true) return refuse(req, res, { code: "not_admin" });
    this.#operator.take(req, res, operation);
  }

  #routeRead(req: IncomingMessage, res: ServerResponse, path: string): void {
    const known =
      path === "/healthz" ||
      path === "/readyz" ||
      path === "/v1/models" ||
      path.startsWith("/v1/models/") ||
      path.startsWith(RECEIPTS);
    if (!known) return refuse(req, res, { code: "route_not_found" });
    if (req.method !== "GET" && req.method !== "HEAD")
      return refuse(req, res, { code: "method_not_allowed", headers: ["allow", "GET, HEAD"] });
    if (path === "/healthz") return sendJson(res, 200, { value: { status: "ok", version: this.#options.version } });
    if (path === "/readyz") return this.#ready(res);
    const holder = this.#identify(req, res);
    if (holder === null) return;
    if (path.startsWith(RECEIPTS)) void this.#receipt(res, path.slice(RECEIPTS.length), holder);
    else this.#models(res, path.slice("/v1/models".length + 1));
  }

  #identify(req: IncomingMessage, res: ServerResponse): KeyHolder | null {
    const holder = identify(req, this.#options.keys);
    if (typeof holder !== "string") return holder;
    refuse(req, res, { code: holder, headers: holder.endsWith("_key") ? ["www-authenticate", "Bearer"] : [] });
    return null;
  }

  #ready(res: ServerResponse): void {
    const trouble: string[] = [];
    if (this.#desk.stopping) trouble.push("the server is stopping");
    const { storeTrouble } = this.#desk;
    if (storeTrouble !== null) trouble.push(`receipts cannot be stored: ${storeTrouble}`);
    const backends = this.#desk.backends();
    const up = backends.filter((backend) => backend.state === "up" || backend.state === "cooling");
    if (up.length === 0) trouble.push("no backend is up");
    else if (up.every((backend) => backend.cordoned)) trouble.push("every backend that is up is cordoned");
    const { warnings } = this.#desk;
    const value = { status: trouble.length === 0 ? "ready" : "not_ready", trouble, warnings };
    sendJson(res, trouble.length === 0 ? 200 : 503, { value });
  }

  #models(res: ServerResponse, name: string): void {
    const data = this.#desk.models().map(({ model, contextTokens }) => ({
      id: model,
      object: "model",
      created: this.#startedSeconds,
      owned_by: "baseload",
      ...(contextTokens === null ? {} : { context_length: contextTokens }),
    }));
    if (name === "") return sendJson(res, 200, { value: { object: "list", data } });
    const found = data.find(({ id }) => id === decode(name));
    if (found === undefined) return sendError(res, "model_not_found", { detail: decode(name), param: "model" });
    sendJson(res, 200, { value: found });
  }

  async #receipt(res: ServerResponse, id: string, holder: KeyHolder): Promise<void> {
    if (!isUuid(id)) return sendError(res, "receipt_not_found");
    try {
      const found = await this.#desk.receipt(id, holder.tenant);
      if (found === "pending") return sendJson(res, 202, { value: { receiptId: id, settled: false } });
      if (found === null) return sendError(res, "receipt_not_found");
      sendJson(res, 200, { value: { settled: true, leafIndex: found.leafIndex, ...found.receipt } });
    } catch {
      sendError(res, "storage_unavailable", { retryAfterMs: 1000 });
    }
  }
}

/** The path of a request target, in origin form or in the absolute form that proxies use (RFC 9112, 3.2.2). */
function pathOf(target: string): string {
  if (!target.startsWith("/") && URL.canParse(target)) return new URL(target).pathname;
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Refuses a request whose body is not read: the connection cannot be used again. */
function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  of: { readonly code: ErrorCode; readonly headers?: FlatHeaders },
): void {
  const { code, headers = [] } = of;
  const hasBody = req.headers["content-length"] !== undefined || req.headers["transfer-encoding"] !== undefined;
  sendError(res, code, { headers: hasBody ? [...headers, "connection", "close"] : headers });
}

/** Answers bytes that never became a request. */
function refuseBytes(
  error: NodeJS.ErrnoException,
  on: { readonly socket: Socket; readonly answer: ServerResponse | null },
): void {
  const { socket, answer } = on;
  // Bytes put into the middle of an answer that has begun would be taken for a part of it.
  const isInside = answer !== null && answer.headersSent && !answer.writableFinished;
  if (error.code === "ECONNRESET" || !socket.writable || isInside) {
    socket.destroy();
    return;
  }
  const code = codeOfParser(error.code ?? "");
  const body = JSON.stringify(errorEnvelope(code));
  const { status } = errorRow(code);
  const head = `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.write(head + body);
  // Ending our side alone would leave the connection to a client that never ends its own.
  socket.destroySoon();
}

function codeOfParser(code: string): ErrorCode {
  if (code === "HPE_HEADER_OVERFLOW") return "headers_too_large";
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? "request_timeout" : "bad_http";
}
