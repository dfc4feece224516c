import type { SendOrder } from "../ports/engine.ts";
import { embeddingsShapeOf } from "../wire/bedrock/embeddings.ts";
import { readBedrockFault } from "../wire/bedrock/error.ts";
import { BEDROCK } from "../wire/bedrock/shape.ts";
import { AWS_EVENT_FRAMING } from "./aws-events.ts";
import { type AwsCredentials, encode, signV4 } from "./aws-sign.ts";
import { convertEmbeddings, convertFor, type OnLoss } from "./convert.ts";
import type { Dialect, Inexpressible, UpstreamRequest } from "./dialect.ts";
import { HttpEngine, type UpstreamOptions } from "./http-engine.ts";

/** How Bedrock knows its caller: by a Bedrock API key, or by a signature. */
export type BedrockAuth =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "credentials"; readonly credentials: AwsCredentials };

/** Amazon Bedrock's runtime. The base URL is the region's host alone, in most cases. */
export interface BedrockOptions extends UpstreamOptions {
  readonly region: string;
  readonly auth: BedrockAuth;
  readonly onLoss: OnLoss;
}

/** Bedrock's Converse. */
class BedrockDialect implements Dialect {
  readonly probePath = null;
  readonly #options: BedrockOptions;
  readonly #host: string;
  readonly #basePath: string;

  constructor(options: BedrockOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#host = url.host;
    this.#basePath = url.pathname.replace(/\/$/, "");
  }

  probeHeaders(): readonly string[] {
    return [];
  }

  request(order: SendOrder): UpstreamRequest | Inexpressible {
    const isEmbeddings = order.endpoint === "embeddings";
    const converted = isEmbeddings
      ? convertEmbeddings(order, embeddingsShapeOf)
      : convertFor(order, BEDROCK, this.#options.onLoss);
    if ("kind" in converted) return converted;
    const { model, body: printed, reading, dropped } = converted;
    const body = Buffer.from(JSON.stringify(printed));
    const converse = order.stream ? "converse-stream" : "converse";
    const path = `/model/${encode(model)}/${isEmbeddings ? "invoke" : converse}`;
    const headers = this.#authOf(path, body);
    return { path, headers, body, reading, framing: AWS_EVENT_FRAMING, readFault: readBedrockFault, dropped };
  }

  modelNames(): readonly string[] {
    return [];
  }

  #authOf(path: string, body: Buffer): readonly string[] {
    const { auth, region } = this.#options;
    if (auth.kind === "key") return ["authorization", `Bearer ${auth.key}`];
    const request = { method: "POST", host: this.#host, path: this.#basePath + path, query: "", headers: [], body };
    return signV4(request, auth.credentials, { region, service: "bedrock", atMs: Date.now() });
  }
}

/** Models of Amazon Bedrock. */
export class BedrockEngine extends HttpEngine {
  constructor(options: BedrockOptions) {
    super(new BedrockDialect(options), options);
  }
}
