import type { Endpoint } from "../base/job.ts";
import type { SendOrder } from "../ports/engine.ts";
import { editMembers, FORCE_USAGE, type MemberEdit } from "../wire/edit.ts";
import { OpenAiReading } from "../wire/openai-reading.ts";
import type { Dialect, Inexpressible, UpstreamRequest } from "./dialect.ts";
import { SSE_FRAMING } from "./framing.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";

/** Where an OpenAI-compatible server is and how it is addressed. The base URL is up to and including `/v1`. */
export interface OpenAiOptions extends UpstreamOptions {
  /** The upstream's key, or null. Sent as a bearer token; printed nowhere. */
  readonly key: string | null;
}

const PATHS: Readonly<Record<Endpoint, string>> = { chat: "/chat/completions", completions: "/completions" };

/** OpenAI's API, which most engines speak: what the client sent passes as it is, but for the edits that were ordered. */
class OpenAiDialect implements Dialect {
  readonly probePath = "/models";
  readonly #auth: readonly string[];

  constructor(key: string | null) {
    this.#auth = key === null ? [] : ["authorization", `Bearer ${key}`];
  }

  probeHeaders(): readonly string[] {
    return this.#auth;
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    return {
      path: PATHS[order.endpoint],
      headers: this.#auth,
      body: bodyOf(order),
      reading: new OpenAiReading(order.wantsUsage),
      framing: SSE_FRAMING,
      dropped: [],
    };
  }

  modelNames(body: unknown): readonly string[] {
    const data = typeof body === "object" && body !== null ? (body as Record<string, unknown>)["data"] : null;
    if (!Array.isArray(data)) return [];
    return data.flatMap((model: unknown) => {
      const id = typeof model === "object" && model !== null ? (model as Record<string, unknown>)["id"] : null;
      return typeof id === "string" ? [id] : [];
    });
  }
}

/** Any OpenAI-compatible server by URL. */
export class OpenAiEngine extends HttpEngine {
  constructor(options: OpenAiOptions) {
    super(new OpenAiDialect(options.key), options);
  }
}

function bodyOf(order: SendOrder): Buffer {
  const edits: MemberEdit[] = [];
  const { model } = order.edits;
  if (model !== null) edits.push({ name: "model", json: () => JSON.stringify(model) });
  if (order.edits.forceUsage) edits.push(FORCE_USAGE);
  return edits.length === 0 ? order.body : editMembers(order.body, edits);
}
