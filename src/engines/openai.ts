import type { EngineKind } from "../base/engine-observation.ts";
import type { Endpoint } from "../base/job.ts";
import type { EngineReport, SendOrder } from "../ports/engine.ts";
import { editMembers, FORCE_USAGE, type MemberEdit } from "../wire/edit.ts";
import { EmbeddingsReading } from "../wire/embeddings/reading.ts";
import { PassedReading } from "../wire/form/readings.ts";
import { arrayOf, objectOf, textOf } from "../wire/json.ts";
import { OpenAiReading } from "../wire/openai-reading.ts";
import type { AnswerReading } from "../wire/reading.ts";
import { type Conversation, isConversation, SHAPES, targetOf } from "../wire/shapes.ts";
import { convert, type OnLoss } from "./convert.ts";
import type { Dialect, Inexpressible, UpstreamRequest } from "./dialect.ts";
import { EngineProbe } from "./engine-probe.ts";
import { SSE_FRAMING } from "./framing.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";
import { MESSAGES_PATH, nativeMessages, VERSION_HEADER } from "./messages.ts";

/** Where an OpenAI-compatible server is and how it is addressed. The base URL is up to and including `/v1`. */
export interface OpenAiOptions extends UpstreamOptions {
  /** The upstream's key, or null. Sent as a bearer token; printed nowhere. */
  readonly key: string | null;
  /** The endpoints that the server has itself; conversations of other shapes are converted. */
  readonly speaks: readonly Endpoint[];
  readonly onLoss: OnLoss;
  /** Whose own endpoints a probe reads besides; `auto` finds out. Absent is `openai`: none. */
  readonly kind?: EngineKind | "auto";
}

const PATHS: Readonly<Record<Exclude<Endpoint, "count_tokens">, string>> = {
  chat: "/chat/completions",
  completions: "/completions",
  responses: "/responses",
  embeddings: "/embeddings",
  messages: MESSAGES_PATH,
};

/**
 * OpenAI's API, which most engines speak. What the client sent passes as it is, but for the edits that were ordered, where the
 * server has the endpoint that was called; other conversations are converted.
 */
class OpenAiDialect implements Dialect {
  readonly probePath = "/models";
  readonly #auth: readonly string[];
  readonly #options: OpenAiOptions;

  constructor(options: OpenAiOptions) {
    const { key } = options;
    this.#options = options;
    this.#auth = key === null ? [] : ["authorization", `Bearer ${key}`];
  }

  probeHeaders(): readonly string[] {
    return this.#auth;
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    const { speaks } = this.#options;
    const target = targetOf(speaks);
    if (!speaks.includes(order.endpoint) && isConversation(order.endpoint) && target !== null) {
      return this.#converted(order, target);
    }
    if (order.endpoint === "messages" || order.endpoint === "count_tokens") {
      return nativeMessages(order, { auth: this.#headersOf(order), body: bodyOf(order) });
    }
    const passed = Object.entries(order.headers).filter(([name]) => name.startsWith("openai-"));
    const headers = [...this.#headersOf(order), ...passed.flat()];
    const path = PATHS[order.endpoint];
    return { path, headers, body: bodyOf(order), reading: readingOf(order), framing: SSE_FRAMING, dropped: [] };
  }

  #converted(order: SendOrder, target: Conversation): UpstreamRequest | Inexpressible {
    const client = SHAPES[order.endpoint as Conversation];
    const converted = convert(order, { client, backend: SHAPES[target], onLoss: this.#options.onLoss });
    if ("kind" in converted) return converted;
    const { reading, dropped } = converted;
    const printed = Buffer.from(JSON.stringify(this.#named(converted.body)));
    const body = editMembers(printed, addressMembers(order));
    const version = target === "messages" ? VERSION_HEADER : [];
    return {
      path: PATHS[target],
      headers: [...this.#headersOf(order), ...version],
      body,
      reading,
      framing: SSE_FRAMING,
      dropped,
    };
  }

  #headersOf({ edits }: SendOrder): readonly string[] {
    const headers = Object.entries(edits.address?.headers ?? {});
    return headers.length === 0 ? this.#auth : [...this.#auth, ...headers.flat()];
  }

  /** OpenAI's own servers want the limit on output by its newer name; most engines know the older one alone. */
  #named(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { max_tokens: limit, ...rest } = body;
    if (limit === undefined || !OPENAI_HOSTS.test(new URL(this.#options.url).hostname)) return body;
    return { ...rest, max_completion_tokens: limit };
  }

  modelNames(body: unknown): readonly string[] {
    return modelIds(body);
  }
}

/** The ids in a list of models, which OpenAI's API and Anthropic's have alike. */
export function modelIds(body: unknown): readonly string[] {
  return arrayOf(objectOf(body)?.["data"]).flatMap((model) => textOf(objectOf(model)?.["id"]) ?? []);
}

/** Any OpenAI-compatible server by URL. */
export class OpenAiEngine extends HttpEngine {
  /** Null for a plain server, which is asked for its models alone. */
  readonly #ownWords: EngineProbe | null;

  constructor(options: OpenAiOptions) {
    super(new OpenAiDialect(options), options);
    const { kind = "openai", discoverModels } = options;
    const ask = (path: string, signal: AbortSignal) => this.get(path, signal);
    const { basePath } = this;
    this.#ownWords = kind === "openai" ? null : new EngineProbe(kind, { ask, basePath, discoverModels });
  }

  override probe(): Promise<EngineReport> {
    return this.#ownWords === null ? super.probe() : this.#ownWords.report();
  }
}

const OPENAI_HOSTS = /(^|\.)openai\.(azure\.)?com$/;

/** How an answer is read that passes to a client of the same shape. */
function readingOf({ endpoint, wantsUsage }: SendOrder): AnswerReading {
  if (endpoint === "embeddings") return new EmbeddingsReading();
  return endpoint === "responses" ? new PassedReading(SHAPES.responses) : new OpenAiReading(wantsUsage);
}

function bodyOf(order: SendOrder): Buffer {
  const edits: MemberEdit[] = [];
  const { model } = order.edits;
  if (model !== null) edits.push({ name: "model", json: () => JSON.stringify(model) });
  if (order.edits.forceUsage && order.endpoint !== "responses") edits.push(FORCE_USAGE);
  edits.push(...addressMembers(order));
  return edits.length === 0 ? order.body : editMembers(order.body, edits);
}

/** What tells the engine of an adapter or a rank, in whatever shape the rest of the body is. */
function addressMembers({ edits }: SendOrder): readonly MemberEdit[] {
  return Object.entries(edits.address?.members ?? {}).map(([name, json]) => ({ name, json: () => json }));
}
