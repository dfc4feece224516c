import type { SendOrder } from "../ports/engine.ts";
import { anthropicBackend } from "../wire/anthropic/shape.ts";
import { editMembers } from "../wire/edit.ts";
import type { BackendShape } from "../wire/form/shape.ts";
import { isConversation, SHAPES } from "../wire/shapes.ts";
import { convert, type OnLoss } from "./convert.ts";
import type { Dialect, Inexpressible, UpstreamRequest } from "./dialect.ts";
import { SSE_FRAMING } from "./framing.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";
import { MESSAGES_PATH, nativeMessages, VERSION_HEADER } from "./messages.ts";
import { modelIds } from "./openai.ts";

/** Where Anthropic's API is and how it is addressed. The base URL is up to and including `/v1`. */
export interface AnthropicOptions extends UpstreamOptions {
  /** The key, or null. Sent as `x-api-key`; printed nowhere. */
  readonly key: string | null;
  readonly onLoss: OnLoss;
  /** `max_tokens` of a converted request that names none. */
  readonly defaultMaxTokens: number;
}

/** Anthropic's API: its own clients' bytes pass, and other conversations are converted. */
class AnthropicDialect implements Dialect {
  readonly probePath = "/models?limit=1000";
  readonly #auth: readonly string[];
  readonly #shape: BackendShape;
  readonly #onLoss: OnLoss;

  constructor({ key, onLoss, defaultMaxTokens }: AnthropicOptions) {
    this.#auth = key === null ? [] : ["x-api-key", key];
    this.#shape = anthropicBackend({ maxTokens: defaultMaxTokens });
    this.#onLoss = onLoss;
  }

  probeHeaders(): readonly string[] {
    return [...this.#auth, ...VERSION_HEADER];
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    const { endpoint } = order;
    if (endpoint === "messages" || endpoint === "count_tokens") {
      const { model } = order.edits;
      const edit = { name: "model", json: () => JSON.stringify(model) };
      return nativeMessages(order, {
        auth: this.#auth,
        body: model === null ? order.body : editMembers(order.body, [edit]),
      });
    }
    if (!isConversation(endpoint)) return { kind: "inexpressible", code: "endpoint_not_served", detail: endpoint };
    const converted = convert(order, { client: SHAPES[endpoint], backend: this.#shape, onLoss: this.#onLoss });
    if ("kind" in converted) return converted;
    const body = Buffer.from(JSON.stringify(converted.body));
    return { ...converted, path: MESSAGES_PATH, headers: this.probeHeaders(), body, framing: SSE_FRAMING };
  }

  modelNames(body: unknown): readonly string[] {
    return modelIds(body);
  }
}

/** Anthropic's API by URL. */
export class AnthropicEngine extends HttpEngine {
  constructor(options: AnthropicOptions) {
    super(new AnthropicDialect(options), options);
  }
}
