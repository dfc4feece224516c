import { Pool } from "undici";
import type { Dispatcher } from "undici";
import type { Engine, EngineCall, EngineReport, EngineSink, SendOrder } from "../ports/engine.ts";
import { editMembers, FORCE_USAGE, type MemberEdit } from "../wire/edit.ts";
import { OpenAiAttempt } from "./openai-attempt.ts";

/** Where an OpenAI-compatible server is and how it is addressed. */
export interface OpenAiOptions {
  /** Base URL up to and including `/v1`, without a trailing slash. */
  readonly url: string;
  /** Path of a unix socket to use instead of the URL's host, or null. */
  readonly socketPath: string | null;
  /** The upstream's key, or null. Sent as a bearer token; printed nowhere. */
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Most bytes of a whole answer. */
  readonly maxAnswerBytes: number;
  /** Whether `probe` asks for the model names. */
  readonly discoverModels: boolean;
}

const PATHS = { chat: "/chat/completions", completions: "/completions" } as const;
const PROBE_TIMEOUT_MS = 5000;

/** Any OpenAI-compatible server by URL. Owns its pool of connections. */
export class OpenAiEngine implements Engine {
  readonly #options: OpenAiOptions;
  readonly #pool: Pool;
  readonly #basePath: string;
  readonly #headers: readonly string[];

  constructor(options: OpenAiOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#basePath = url.pathname.replace(/\/$/, "");
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
    if (options.key !== null) headers.push("authorization", `Bearer ${options.key}`);
    for (const [name, value] of Object.entries(options.headers)) headers.push(name.toLowerCase(), value);
    this.#headers = headers;
  }

  send(order: SendOrder, sink: EngineSink): EngineCall {
    const attempt = new OpenAiAttempt(order, sink, this.#options.maxAnswerBytes);
    const options: Dispatcher.DispatchOptions = {
      path: this.#basePath + PATHS[order.endpoint],
      method: "POST",
      headers: [...this.#headers, "x-request-id", order.clientRequestId],
      body: bodyOf(order),
    };
    this.#pool.dispatch(options, attempt);
    return attempt;
  }

  async probe(): Promise<EngineReport> {
    try {
      const response = await this.#pool.request({
        path: `${this.#basePath}/models`,
        method: "GET",
        headers: [...this.#headers],
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      });
      const body: unknown = await response.body.json();
      if (response.statusCode !== 200) return { state: "down", models: null, contextTokens: null };
      return { state: "up", models: this.#options.discoverModels ? namesOf(body) : null, contextTokens: null };
    } catch {
      // A probe has one question, whether the server answers; why it does not is seen by the requests.
      return { state: "down", models: null, contextTokens: null };
    }
  }

  retire(): Promise<void> {
    return this.#pool.close();
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

function namesOf(body: unknown): readonly string[] {
  const data = typeof body === "object" && body !== null ? (body as Record<string, unknown>)["data"] : null;
  if (!Array.isArray(data)) return [];
  return data.flatMap((model: unknown) => {
    const id = typeof model === "object" && model !== null ? (model as Record<string, unknown>)["id"] : null;
    return typeof id === "string" ? [id] : [];
  });
}

function bodyOf(order: SendOrder): Buffer {
  const edits: MemberEdit[] = [];
  const { model } = order.edits;
  if (model !== null) edits.push({ name: "model", json: () => JSON.stringify(model) });
  if (order.edits.forceUsage) edits.push(FORCE_USAGE);
  return edits.length === 0 ? order.body : editMembers(order.body, edits);
}
