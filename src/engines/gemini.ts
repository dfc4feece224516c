import type { SendOrder } from "../ports/engine.ts";
import type { EmbeddingsShape } from "../wire/embeddings/form.ts";
import { GEMINI_EMBEDDINGS, VERTEX_EMBEDDINGS } from "../wire/gemini/embeddings.ts";
import { readGeminiFault } from "../wire/gemini/error.ts";
import { GEMINI } from "../wire/gemini/shape.ts";
import { arrayOf, objectOf, textOf } from "../wire/json.ts";
import { convertEmbeddings, convertFor, type OnLoss } from "./convert.ts";
import type { Dialect, Inexpressible, TokenSource, UpstreamRequest } from "./dialect.ts";
import { SSE_FRAMING } from "./framing.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";

/** Google AI Studio's Gemini API. The base URL is the host alone. */
export interface GeminiOptions extends UpstreamOptions {
  /** The key of the API, or null where a proxy adds it. Printed nowhere. */
  readonly key: string | null;
  readonly onLoss: OnLoss;
}

/** Gemini in Vertex AI. The base URL is the location's host alone. */
export interface VertexOptions extends UpstreamOptions {
  readonly project: string;
  /** A region, or `global`. */
  readonly location: string;
  readonly tokens: TokenSource;
  readonly onLoss: OnLoss;
}

/** Where one of the two services has its models, and how it knows its callers. */
interface Service {
  readonly onLoss: OnLoss;
  readonly headers: readonly string[];
  readonly tokens: TokenSource | null;
  readonly probePath: string | null;
  readonly pathOf: (model: string) => string;
  /** How it makes embeddings, and the method that does. */
  readonly embeddings: { readonly shape: EmbeddingsShape; readonly method: string };
}

/** What Google's two services have in common. */
class GeminiDialect implements Dialect {
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  get probePath(): string | null {
    return this.#service.probePath;
  }

  probeHeaders(): readonly string[] {
    return this.#service.headers;
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    const { onLoss, headers, tokens, pathOf, embeddings } = this.#service;
    const isEmbeddings = order.endpoint === "embeddings";
    const converted = isEmbeddings
      ? convertEmbeddings(order, () => embeddings.shape)
      : convertFor(order, GEMINI, onLoss);
    if ("kind" in converted) return converted;
    const { model, body, reading, dropped } = converted;
    const generate = order.stream ? "streamGenerateContent?alt=sse" : "generateContent";
    const method = isEmbeddings ? embeddings.method : generate;
    return {
      path: `${pathOf(model)}:${method}`,
      headers,
      body: Buffer.from(JSON.stringify(body)),
      reading,
      framing: SSE_FRAMING,
      readFault: readGeminiFault,
      dropped,
      ...(tokens === null ? {} : { tokens }),
    };
  }

  /** Of `GET /v1beta/models`: those that generate or embed, without the name of their collection. */
  modelNames(body: unknown): readonly string[] {
    return arrayOf(objectOf(body)?.["models"]).flatMap((each) => {
      const model = objectOf(each);
      const name = textOf(model?.["name"]);
      const methods = arrayOf(model?.["supportedGenerationMethods"]);
      const isServed = methods.includes("generateContent") || methods.includes("embedContent");
      return name !== null && isServed ? [name.replace(/^models\//, "")] : [];
    });
  }
}

/** Gemini by Google AI Studio's API. */
export class GeminiEngine extends HttpEngine {
  constructor(options: GeminiOptions) {
    const { key, onLoss } = options;
    const dialect = new GeminiDialect({
      onLoss,
      headers: key === null ? [] : ["x-goog-api-key", key],
      tokens: null,
      probePath: "/v1beta/models?pageSize=1000",
      pathOf: (model) => `/v1beta/${inCollection(model, "models")}`,
      embeddings: { shape: GEMINI_EMBEDDINGS, method: "batchEmbedContents" },
    });
    super(dialect, options);
  }
}

/** Gemini by Vertex AI. */
export class VertexEngine extends HttpEngine {
  constructor(options: VertexOptions) {
    const { project, location, tokens, onLoss } = options;
    const home = `/v1/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`;
    const dialect = new GeminiDialect({
      onLoss,
      headers: [],
      tokens,
      probePath: null,
      pathOf: (model) => `${home}/${inCollection(model, "publishers/google/models")}`,
      embeddings: { shape: VERTEX_EMBEDDINGS, method: "predict" },
    });
    super(dialect, options);
  }
}

/** A model's path: a name with slashes in it is one already, such as `tunedModels/NAME` or `endpoints/NUMBER`. */
function inCollection(model: string, collection: string): string {
  const path = model.split("/").map(encodeURIComponent).join("/");
  return model.includes("/") ? path : `${collection}/${path}`;
}
