import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isUuid } from "../base/ids.ts";
import type { Endpoint } from "../base/job.ts";
import type { ModelView } from "../base/model.ts";
import type { Desk } from "../ports/desk.ts";
import { ANTHROPIC_ERRORS } from "../wire/client-errors.ts";
import { anthropicModelEntry, modelEntry } from "../wire/models.ts";
import { identify, type KeyHolder, type KeyRing } from "./access.ts";
import { clientAddress, clientOf, isTrusted, networksOf, plainAddress, type TrustedNetworks } from "./addresses.ts";
import { answering, sendError, sendJson, sendText } from "./answers.ts";
import { Headcount, TurnedAway } from "./connections.ts";
import { isAmbiguous } from "./framing.ts";
import { Door, type DoorOptions } from "./door.ts";
import { asksAnthropicModels, endpointOf, errorsFor, MODELS, pathOf } from "./endpoints.ts";
import { endWith, type ParserError, refuse, refuseBytes } from "./refuse.ts";
import { answerRun, runOf } from "./runs.ts";
import { type Operation, operationOf, Operator } from "./operator.ts";
import { type Storage, type StorageRoute, storageRouteOf } from "./storage.ts";

/** How the gateway serves. */
export interface GatewayOptions extends DoorOptions {
  readonly keys: KeyRing;
  /** A certificate chain and its key in PEM form; null serves plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly uploadTimeoutMs: number;
  readonly maxUrlBytes: number;
  /** Headers of a request, and the bytes of all of them together, its URL included. Taken at the start. */
  readonly maxHeaders: number;
  readonly maxHeaderBytes: number;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Connections of one client at once, or its open requests where it comes through a trusted proxy; null is no limit. */
  readonly maxConnectionsPerClient: number | null;
  /** Completions at once, be they waiting, uploading or being answered. */
  readonly maxOpenRequests: number;
  /** Networks of proxies that are believed when they say for whom they call. */
  readonly trustedProxies: readonly string[];
  /** Whether the desk is told who sends each request. */
  readonly logClientAddress: boolean;
  readonly version: string;
  /** Answers `GET /api/estimate` by the query's parameters, or says what is wrong with them; null where there is no such route. */
  readonly estimate: ((query: URLSearchParams) => { readonly value: object } | { readonly problem: string }) | null;
  /** One line for the operator. */
  readonly log: (line: string) => void;
}

const RECEIPTS = "/api/receipts/";
const ESTIMATE = "/api/estimate";
const TIMEOUT_CHECK_MS = 1000;
const KEEP_ALIVE_MS = 75_000;
const RETRY_MS = 1000;
/** Of requests that did not come in full in time, and of handshakes. */
const TOO_SLOW: ReadonlySet<string> = new Set(["ERR_HTTP_REQUEST_TIMEOUT", "ERR_TLS_HANDSHAKE_TIMEOUT"]);
const BAD_HTTP = { code: "bad_http", closes: true } as const;

/** HTTP: routes, keys and streaming. Requests become exchanges for the desk; it decides nothing about them. */
export class Gateway {
  readonly #desk: Desk;
  #options: GatewayOptions;
  readonly #door: Door;
  readonly #operator: Operator;
  readonly #storage: Storage | null;
  readonly #server: Server;
  readonly #startedSeconds: number;
  /** Answers whose last bytes have not gone out, be they made already or not. */
  #answering = 0;
  #onQuiet: (() => void) | null = null;
  /** The latest answer of each connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();
  readonly #trusted: TrustedNetworks;
  readonly #connections: Headcount;
  /** Requests that come through trusted proxies, by the client that they are made for. */
  readonly #forwarded: Headcount;
  readonly #turnedAway: TurnedAway;
  #completing = 0;

  /** `storage` keeps files, batches and responses; without it there are none. */
  constructor(desk: Desk, options: GatewayOptions, storage: Storage | null = null) {
    this.#desk = desk;
    this.#options = options;
    this.#storage = storage;
    this.#door = new Door(desk, options, storage?.responses ?? null);
    const { maxConnections: max, maxConnectionsPerClient: maxPerClient } = options;
    this.#trusted = networksOf(options.trustedProxies);
    this.#connections = new Headcount({ max, maxPerClient });
    this.#forwarded = new Headcount({ max: Infinity, maxPerClient });
    this.#turnedAway = new TurnedAway(options.log);
    this.#operator = new Operator(desk);
    this.#startedSeconds = Math.floor(Date.now() / 1000);
    this.#server = serverOf(options.tls, {
      requestTimeout: options.uploadTimeoutMs,
      headersTimeout: options.uploadTimeoutMs,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: options.maxHeaderBytes,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Node's own refusal has no body; ours has the error's words.
      requireHostHeader: false,
    });
    // Node drops what is over its limit in silence; one more than ours is let in, so that it is seen and refused.
    this.#server.maxHeadersCount = options.maxHeaders + 1;
    this.#server.on("request", (req, res) => this.#begin(req, res));
    this.#server.on("checkExpectation", (req, res) => this.#refuse(req, res, BAD_HTTP));
    this.#server.on("connect", (_req, socket) => {
      desk.refused("bad_http");
      endWith(socket as Socket, "bad_http");
    });
    this.#server.on("clientError", (error: ParserError, socket) => {
      if (error.code !== undefined && TOO_SLOW.has(error.code)) desk.turnedAway("upload_timeout");
      const answer = this.#answers.get(socket) ?? null;
      const code = refuseBytes(error, { socket: socket as Socket, answer, maxUrlBytes: this.#options.maxUrlBytes });
      if (code !== null) desk.refused(code);
    });
    this.#guardConnections();
  }

  /** Has every connection counted before anything is read from it. */
  #guardConnections(): void {
    // Asking the system who calls costs more than the rest of this.
    const isPerClient = this.#options.maxConnectionsPerClient !== null;
    const serve = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    this.#server.on("connection", (socket: Socket) => {
      const client = isPerClient ? this.#clientOf(socket) : null;
      const limit = this.#connections.enter(client);
      if (limit !== null) {
        this.#desk.turnedAway(limit);
        const address = plainAddress(socket.remoteAddress ?? "");
        return this.#turnedAway.end(socket, { address, speaks: this.#options.tls === null });
      }
      socket.on("close", () => this.#connections.leave(client));
      for (const listener of serve) listener.call(this.#server, socket);
    });
  }

  /** For whom a connection counts: a trusted proxy calls for many clients, whose requests are counted instead. */
  #clientOf(socket: Socket): string | null {
    const address = plainAddress(socket.remoteAddress ?? "");
    return isTrusted(address, this.#trusted) ? null : clientOf(address);
  }

  #begin(req: IncomingMessage, res: ServerResponse): void {
    this.#answers.set(req.socket, res);
    this.#answering += 1;
    res.on("close", () => {
      this.#answering -= 1;
      if (this.#answering === 0) this.#onQuiet?.();
    });
    const forwarded = req.headers["x-forwarded-for"];
    if (forwarded !== undefined && !this.#enterForwarded(req, res)) {
      return this.#refuse(req, res, { code: "too_many_connections", retryAfterMs: RETRY_MS });
    }
    answering(res, () => this.#route(req, res), errorsFor(req));
  }

  /** Counts a request of a trusted proxy for its client; false when that has too many. */
  #enterForwarded(req: IncomingMessage, res: ServerResponse): boolean {
    if (!isTrusted(plainAddress(req.socket.remoteAddress ?? ""), this.#trusted)) return true;
    const address = this.#addressOf(req);
    const client = clientOf(address);
    const limit = this.#forwarded.enter(client);
    if (limit !== null) {
      this.#desk.turnedAway(limit);
      this.#turnedAway.say(address);
      return false;
    }
    res.on("close", () => this.#forwarded.leave(client));
    return true;
  }

  /** Who calls, as far as proxies are trusted to say so. */
  #addressOf(req: IncomingMessage): string {
    const forwarded = req.headers["x-forwarded-for"];
    // Node joins repeated headers of this name with commas.
    const hops = forwarded === undefined ? undefined : String(forwarded);
    return clientAddress(req.socket.remoteAddress ?? "", hops, this.#trusted);
  }

  /** Serves by other keys and limits from the next request on; one whose body is still coming ends by the old ones. */
  configure(options: GatewayOptions): void {
    this.#options = options;
    this.#door.configure(options);
    this.#server.requestTimeout = options.uploadTimeoutMs;
    this.#server.headersTimeout = options.uploadTimeoutMs;
    // Certificates are renewed while connections stand; new ones get the new certificate.
    if (options.tls !== null && this.#server instanceof TlsServer) {
      this.#server.setSecureContext({ ...options.tls, minVersion: TLS_MIN });
    }
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
    if (isAmbiguous(req)) return this.#refuse(req, res, BAD_HTTP);
    const url = req.url ?? "/";
    const { maxUrlBytes, maxHeaders } = this.#options;
    if (url.length > maxUrlBytes) return this.#refuse(req, res, { code: "url_too_long" });
    if (req.rawHeaders.length > 2 * maxHeaders) return this.#refuse(req, res, { code: "headers_too_large" });
    const path = pathOf(url);
    const endpoint = endpointOf(path);
    if (endpoint !== undefined) {
      if (req.method !== "POST")
        return this.#refuse(req, res, { code: "method_not_allowed", headers: ["allow", "POST"] });
      return this.#complete(req, res, endpoint);
    }
    const stored = this.#storage === null ? null : storageRouteOf(path);
    if (stored !== null) return this.#store(req, res, stored);
    const operation = operationOf(path);
    if (operation === null) this.#routeRead(req, res, path);
    else this.#operate(req, res, operation);
  }

  #store(req: IncomingMessage, res: ServerResponse, route: StorageRoute): void {
    if (!route.methods.includes(req.method ?? "")) {
      return this.#refuse(req, res, { code: "method_not_allowed", headers: ["allow", route.methods.join(", ")] });
    }
    const holder = this.#identify(req, res);
    if (holder !== null) this.#storage?.take({ req, res, holder }, route);
  }

  #operate(req: IncomingMessage, res: ServerResponse, operation: Operation): void {
    const isRead = operation.verb === null;
    const allowed = isRead ? req.method === "GET" || req.method === "HEAD" : req.method === "POST";
    if (!allowed)
      return this.#refuse(req, res, { code: "method_not_allowed", headers: ["allow", isRead ? "GET, HEAD" : "POST"] });
    const holder = this.#identify(req, res);
    if (holder === null) return;
    if (holder.admin !== true) return this.#refuse(req, res, { code: "not_admin" });
    this.#operator.take(req, res, operation);
  }

  #complete(req: IncomingMessage, res: ServerResponse, endpoint: Endpoint): void {
    const holder = this.#identify(req, res);
    if (holder === null) return;
    if (this.#completing >= this.#options.maxOpenRequests)
      return this.#refuse(req, res, { code: "too_many_requests", retryAfterMs: RETRY_MS });
    this.#completing += 1;
    res.on("close", () => {
      this.#completing -= 1;
    });
    const address = this.#options.logClientAddress ? this.#addressOf(req) : null;
    this.#door.take(req, res, { endpoint, holder, clientAddress: address });
  }

  #routeRead(req: IncomingMessage, res: ServerResponse, path: string): void {
    const run = runOf(path);
    const known =
      run !== null ||
      path === "/healthz" ||
      path === "/readyz" ||
      path === "/metrics" ||
      (path === ESTIMATE && this.#options.estimate !== null) ||
      path === MODELS ||
      path.startsWith(`${MODELS}/`) ||
      path.startsWith(RECEIPTS);
    if (!known) return this.#refuse(req, res, { code: "route_not_found" });
    if (req.method !== "GET" && req.method !== "HEAD")
      return this.#refuse(req, res, { code: "method_not_allowed", headers: ["allow", "GET, HEAD"] });
    if (path === "/healthz") return sendJson(res, 200, { value: { status: "ok", version: this.#options.version } });
    if (path === "/readyz") return this.#ready(req, res);
    const holder = this.#identify(req, res);
    if (holder === null) return;
    if (run !== null) void answerRun(this.#desk, { req, res }, { tenant: holder.tenant, ...run });
    else if (path === "/metrics") sendText(res, this.#desk.metrics());
    else if (path === ESTIMATE) this.#estimate(req, res);
    else if (path.startsWith(RECEIPTS)) void this.#receipt(res, path.slice(RECEIPTS.length), holder);
    else if (asksAnthropicModels(req, path)) this.#anthropicModels(res, path.slice(MODELS.length + 1), holder);
    else this.#models(res, path.slice(MODELS.length + 1), holder);
  }

  #estimate(req: IncomingMessage, res: ServerResponse): void {
    const url = req.url ?? "";
    const at = url.indexOf("?");
    const answer = this.#options.estimate?.(new URLSearchParams(at === -1 ? "" : url.slice(at)));
    if (answer === undefined) return this.#refuse(req, res, { code: "route_not_found" });
    if ("problem" in answer) return sendError(res, "invalid_request", { detail: answer.problem });
    sendJson(res, 200, { value: answer.value });
  }

  #identify(req: IncomingMessage, res: ServerResponse): KeyHolder | null {
    const holder = identify(req, this.#options.keys);
    if (typeof holder !== "string") return holder;
    this.#refuse(req, res, { code: holder, headers: holder.endsWith("_key") ? ["www-authenticate", "Bearer"] : [] });
    return null;
  }

  /** Every refusal before the door passes here, so that each is counted. */
  #refuse(req: IncomingMessage, res: ServerResponse, of: Parameters<typeof refuse>[2]): void {
    this.#desk.refused(of.code);
    refuse(req, res, { ...of, errors: errorsFor(req) });
  }

  #ready(req: IncomingMessage, res: ServerResponse): void {
    const trouble: string[] = [];
    if (this.#desk.stopping) trouble.push("the server is stopping");
    const { storeTrouble } = this.#desk;
    if (storeTrouble !== null) trouble.push(`receipts cannot be stored: ${storeTrouble}`);
    const backends = this.#desk.backends();
    const up = backends.filter((backend) => backend.state === "up" || backend.state === "cooling");
    if (up.length === 0) trouble.push("no backend is up");
    else if (up.every((backend) => backend.cordoned)) trouble.push("every backend that is up is cordoned");
    // Both quote the configuration and the disk, which are not for everybody who can reach the port.
    const mayKnow = typeof identify(req, this.#options.keys) !== "string";
    const status = trouble.length === 0 ? "ready" : "not_ready";
    const value = { status, trouble: mayKnow ? trouble : [], warnings: mayKnow ? this.#desk.warnings : [] };
    sendJson(res, trouble.length === 0 ? 200 : 503, { value });
  }

  #models(res: ServerResponse, name: string, holder: KeyHolder): void {
    const models = this.#desk.models(holder);
    const entryOf = (view: ModelView): object => ({
      ...modelEntry(view, this.#startedSeconds),
      ...this.#metaOf(view.model),
    });
    if (name === "") return sendJson(res, 200, { value: { object: "list", data: models.map(entryOf) } });
    const wanted = decode(name);
    const found = findModel(models, wanted);
    if (found === undefined) return sendError(res, "model_not_found", { detail: wanted, param: "model" });
    sendJson(res, 200, { value: entryOf(found) });
  }

  #metaOf(model: string): object {
    const meta = this.#desk.modelMeta(model);
    return meta === null ? {} : { meta };
  }

  /** Anthropic's list of models, whole: there is no second page. */
  #anthropicModels(res: ServerResponse, name: string, holder: KeyHolder): void {
    const models = this.#desk.models(holder);
    if (name === "") {
      const [first, last] = [models.at(0)?.model ?? null, models.at(-1)?.model ?? null];
      const data = models.map(anthropicModelEntry);
      return sendJson(res, 200, { value: { data, has_more: false, first_id: first, last_id: last } });
    }
    const wanted = decode(name);
    const found = findModel(models, wanted);
    const errors = ANTHROPIC_ERRORS;
    if (found === undefined) return sendError(res, "model_not_found", { detail: wanted, errors });
    sendJson(res, 200, { value: anthropicModelEntry(found) });
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

const TLS_MIN = "TLSv1.2";

function serverOf(tls: GatewayOptions["tls"], options: ServerOptions): Server {
  if (tls === null) return createServer(options);
  return createTlsServer({
    ...options,
    ...tls,
    minVersion: TLS_MIN,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: options.requestTimeout,
  });
}

/** The model of this name, or else the one that has it as an alias. */
function findModel(models: readonly ModelView[], name: string): ModelView | undefined {
  return models.find(({ model }) => model === name) ?? models.find(({ aliases }) => aliases.includes(name));
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
