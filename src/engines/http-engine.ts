import { Pool } from "undici";
import type { Dispatcher } from "undici";
import type { Engine, EngineCall, EngineReport, EngineSink, Made, SendOrder } from "../ports/engine.ts";
import { jsonOf } from "../wire/reading.ts";
import type { Dialect, Inexpressible, TokenSource, UpstreamRequest } from "./dialect.ts";
import { HttpAttempt } from "./http-attempt.ts";

/** Where an upstream is and how it is addressed, whatever its dialect. */
export interface UpstreamOptions {
  /** Base URL that the dialect's paths follow, without a trailing slash. */
  readonly url: string;
  /** Path of a unix socket to use instead of the URL's host, or null. */
  readonly socketPath: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Most bytes of a whole answer. */
  readonly maxAnswerBytes: number;
  /** Whether `probe` asks for the model names. */
  readonly discoverModels: boolean;
  /** Whether a server that has no list of models is up all the same. Absent: it is down when the list cannot be had. */
  readonly modelsAreOptional?: boolean;
}

/** What a question was answered, with any status. */
export interface ProbeAnswer {
  readonly status: number;
  readonly body: string;
}

/** For all questions of one probe together. */
export const PROBE_TIMEOUT_MS = 5000;
// More than this is no answer to a probe; it is not read to its end.
const PROBE_MOST_BYTES = 4 * 1024 * 1024;
// By these a server says that it keeps no list of models, not that it is down.
const NO_LIST: ReadonlySet<number> = new Set([404, 405, 501]);

/** An upstream by HTTP in one dialect. Owns its pool of connections. */
export class HttpEngine implements Engine {
  readonly #options: UpstreamOptions;
  readonly #dialect: Dialect;
  readonly #pool: Pool;
  /** Path of the base URL, without a trailing slash. */
  protected readonly basePath: string;
  readonly #headers: readonly string[];
  /** Sends that wait for a token. */
  readonly #waiting = new Map<HttpAttempt, Promise<void>>();

  constructor(dialect: Dialect, options: UpstreamOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#dialect = dialect;
    this.basePath = url.pathname.replace(/\/$/, "");
    this.#pool = new Pool(url.origin, {
      // The watch is the only clock: undici's own limits would be a second opinion.
      connectTimeout: 0,
      headersTimeout: 0,
      bodyTimeout: 0,
      // HTTP/1.1 only: one stream a connection, so that an abort closes just that stream.
      allowH2: false,
      ...(options.socketPath === null ? {} : { socketPath: options.socketPath }),
    });
    const headers = ["content-type", "application/json", "accept-encoding", "identity", "user-agent", "baseload"];
    for (const [name, value] of Object.entries(options.headers)) headers.push(name.toLowerCase(), value);
    this.#headers = headers;
  }

  send(order: SendOrder, sink: EngineSink): EngineCall {
    const request = this.#dialect.request(order);
    if ("kind" in request) return refused(request, sink);
    if (request.dropped.length > 0) sink.dropped(request.dropped);
    const { reading, framing, readFault } = request;
    const { maxAnswerBytes } = this.#options;
    const attempt = new HttpAttempt(order, sink, { reading, framing, readFault, maxAnswerBytes });
    const headers = [...this.#headers, ...request.headers, "x-request-id", order.clientRequestId];
    const { tokens } = request;
    const token = tokens?.current();
    if (tokens !== undefined && token === null) this.#sendLater(request, attempt, { headers, tokens });
    else
      this.#dispatch(
        request,
        attempt,
        token === undefined ? headers : [...headers, "authorization", `Bearer ${token}`],
      );
    return attempt;
  }

  #dispatch(request: UpstreamRequest, attempt: HttpAttempt, headers: readonly string[]): void {
    const path = this.basePath + request.path;
    const options: Dispatcher.DispatchOptions = { path, method: "POST", headers: [...headers], body: request.body };
    this.#pool.dispatch(options, attempt);
  }

  /** The attempt's watch runs while it waits, as for a connection. */
  #sendLater(
    request: UpstreamRequest,
    attempt: HttpAttempt,
    of: { readonly headers: readonly string[]; readonly tokens: TokenSource },
  ): void {
    const sent = this.#afterToken(request, attempt, of);
    this.#waiting.set(attempt, sent);
    void sent.finally(() => this.#waiting.delete(attempt));
  }

  async #afterToken(
    request: UpstreamRequest,
    attempt: HttpAttempt,
    { headers, tokens }: { readonly headers: readonly string[]; readonly tokens: TokenSource },
  ): Promise<void> {
    try {
      const token = await tokens.fetch();
      if (!attempt.isOver) this.#dispatch(request, attempt, [...headers, "authorization", `Bearer ${token}`]);
    } catch (error) {
      // Errors of the transport have a code; without one the token was refused.
      const isTransport = error instanceof Error && "code" in error;
      const detail = `no token: ${error instanceof Error ? error.message : "unknown"}`;
      attempt.abandon(isTransport ? "upstream_unreachable" : "upstream_unauthorized", detail);
    }
  }

  async probe(): Promise<EngineReport> {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const { probePath } = this.#dialect;
    const answer = await this.get(this.basePath + (probePath ?? "/"), signal);
    if (probePath === null) return { state: answer === null ? "down" : "up", models: null, contextTokens: null };
    if (this.#options.modelsAreOptional === true && answer !== null && NO_LIST.has(answer.status)) {
      return { state: "up", models: null, contextTokens: null };
    }
    const body = answer?.status === 200 ? jsonOf(answer.body) : undefined;
    if (body === undefined) return { state: "down", models: null, contextTokens: null };
    const models = this.#options.discoverModels ? this.#dialect.modelNames(body) : null;
    return { state: "up", models, contextTokens: null };
  }

  /** Asks at a path of the server; null when no answer came in time or it was too large. Never rejects. */
  protected async get(path: string, signal: AbortSignal): Promise<ProbeAnswer | null> {
    try {
      const headers = [...this.#headers, ...this.#dialect.probeHeaders()];
      const { statusCode, body } = await this.#pool.request({ path, method: "GET", headers, signal });
      const parts: Buffer[] = [];
      let bytes = 0;
      for await (const part of body as AsyncIterable<Buffer>) {
        bytes += part.length;
        // Leaving the loop ends the body's connection.
        if (bytes > PROBE_MOST_BYTES) return null;
        parts.push(part);
      }
      return { status: statusCode, body: Buffer.concat(parts).toString("utf8") };
    } catch {
      // A probe asks whether the server answers; why it does not is seen by the requests.
      return null;
    }
  }

  async retire(): Promise<void> {
    if (this.#waiting.size > 0) await Promise.allSettled(this.#waiting.values());
    await this.#pool.close();
  }

  close(): Promise<void> {
    for (const attempt of this.#waiting.keys()) attempt.abandon("upstream_broken", "the engine was closed");
    return this.#pool.destroy();
  }
}

/** A call that was over before anything was sent. */
function refused(of: Inexpressible, sink: EngineSink): EngineCall {
  sink.failed({
    code: of.code,
    status: null,
    retryAfterMs: null,
    made: NOTHING_MADE,
    relay: null,
    detail: of.detail,
    told: of.detail,
  });
  return { made: () => NOTHING_MADE, abort: () => NOTHING_MADE, limit: () => {}, resume: () => {} };
}

const NOTHING_MADE: Made = { reported: null, outputText: "", contentPieces: 0 };
