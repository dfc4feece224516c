import type { Endpoint } from "../base/job.ts";
import type { SendOrder } from "../ports/engine.ts";
import { editMembers, FORCE_USAGE, type MemberEdit } from "../wire/edit.ts";
import { ANTHROPIC_CLIENT } from "../wire/anthropic/shape.ts";
import { arrayOf, objectOf, textOf } from "../wire/json.ts";
import { OPENAI_CHAT } from "../wire/openai-chat/shape.ts";
import { OpenAiReading } from "../wire/openai-reading.ts";
import { convert, type OnLoss } from "./convert.ts";
import type { Dialect, Inexpressible, UpstreamRequest } from "./dialect.ts";
import { SSE_FRAMING } from "./framing.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";
import { nativeMessages } from "./messages.ts";

/** Where an OpenAI-compatible server is and how it is addressed. The base URL is up to and including `/v1`. */
export interface OpenAiOptions extends UpstreamOptions {
  /** The upstream's key, or null. Sent as a bearer token; printed nowhere. */
  readonly key: string | null;
  /** What it serves itself besides OpenAI's endpoints. */
  readonly nativeEndpoints: readonly NativeEndpoint[];
  readonly onLoss: OnLoss;
}

/** Endpoints of Anthropic's API that some servers of OpenAI's have too. */
export type NativeEndpoint = "messages" | "count_tokens";

const CHAT_PATH = "/chat/completions";

/** OpenAI's API, which most engines speak: what the client sent passes as it is, but for the edits that were ordered. */
class OpenAiDialect implements Dialect {
  readonly probePath = "/models";
  readonly #auth: readonly string[];
  readonly #native: ReadonlySet<Endpoint>;
  readonly #onLoss: OnLoss;

  constructor({ key, nativeEndpoints, onLoss }: OpenAiOptions) {
    this.#auth = key === null ? [] : ["authorization", `Bearer ${key}`];
    this.#native = new Set(nativeEndpoints);
    this.#onLoss = onLoss;
  }

  probeHeaders(): readonly string[] {
    return this.#auth;
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    const { endpoint } = order;
    if (endpoint === "messages" && !this.#native.has(endpoint)) return this.#converted(order);
    if (endpoint === "messages" || endpoint === "count_tokens") return nativeMessages(order, this.#auth);
    return {
      path: endpoint === "chat" ? CHAT_PATH : "/completions",
      headers: this.#auth,
      body: bodyOf(order),
      reading: new OpenAiReading(order.wantsUsage),
      framing: SSE_FRAMING,
      dropped: [],
    };
  }

  #converted(order: SendOrder): UpstreamRequest | Inexpressible {
    const shapes = { client: ANTHROPIC_CLIENT, backend: OPENAI_CHAT, onLoss: this.#onLoss };
    const converted = convert(order, shapes);
    if ("kind" in converted) return converted;
    const body = Buffer.from(JSON.stringify(converted.body));
    return { ...converted, path: CHAT_PATH, headers: this.#auth, body, framing: SSE_FRAMING };
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
  constructor(options: OpenAiOptions) {
    super(new OpenAiDialect(options), options);
  }
}

function bodyOf(order: SendOrder): Buffer {
  const edits: MemberEdit[] = [];
  const { model } = order.edits;
  if (model !== null) edits.push({ name: "model", json: () => JSON.stringify(model) });
  if (order.edits.forceUsage) edits.push(FORCE_USAGE);
  return edits.length === 0 ? order.body : editMembers(order.body, edits);
}
