import type { Usage } from "../../base/job.ts";
import { arrayOf, isObject, numberOf } from "../json.ts";
import { type AnswerReading, broken, type Broken, type Done, jsonOf } from "../reading.ts";
import { type EmbeddingsRequest, type EmbeddingsShape, printEmbeddings } from "./form.ts";

/** Embeddings are one whole answer, whose output is no tokens. */
abstract class WholeReading implements AnswerReading {
  readonly passesComments = false;
  hasContent = false;
  readonly text = "";
  readonly pieces = 0;
  reported: Usage | null = null;
  readonly finishReason = "stop";

  abstract whole(body: Buffer): Done | Broken;

  event(): Broken {
    return broken("a stream in place of embeddings");
  }

  end(): Broken {
    return this.event();
  }

  /** The answer is good, and took so many tokens; null is unknown. */
  protected done(bytes: Buffer, inputTokens: number | null): Done {
    this.hasContent = true;
    this.reported = {
      inputTokens,
      cachedInputTokens: null,
      cacheWriteTokens: null,
      outputTokens: 0,
      reasoningTokens: null,
      reportedCostNanoUsd: null,
      method: "provider_reported",
    };
    return { kind: "done", bytes };
  }
}

/** Embeddings (OpenAI API reference, "Create embeddings") for a client that speaks the same: bytes pass. Owned by one attempt. */
export class EmbeddingsReading extends WholeReading {
  whole(body: Buffer): Done | Broken {
    const value = jsonOf(body.toString("utf8"));
    const vectors = isObject(value) ? value["data"] : undefined;
    if (!isObject(value) || !Array.isArray(vectors) || !arrayOf(vectors).every(isVector)) {
      return broken("an answer that is not embeddings");
    }
    const usage = isObject(value["usage"]) ? value["usage"] : {};
    return this.done(body, numberOf(usage["prompt_tokens"]));
  }
}

/** Embeddings in a backend's shape for a client that speaks OpenAI's. Owned by one attempt. */
export class ConvertedEmbeddingsReading extends WholeReading {
  readonly #shape: EmbeddingsShape;
  readonly #request: EmbeddingsRequest;

  constructor(shape: EmbeddingsShape, request: EmbeddingsRequest) {
    super();
    this.#shape = shape;
    this.#request = request;
  }

  whole(body: Buffer): Done | Broken {
    const answer = this.#shape.read(jsonOf(body.toString("utf8")));
    if (answer === null) return broken("an answer that is not embeddings");
    if (answer.vectors.length !== this.#request.texts.length) return broken("not one embedding for each text");
    return this.done(Buffer.from(JSON.stringify(printEmbeddings(answer, this.#request))), answer.inputTokens);
  }
}

function isVector(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { embedding } = value;
  return typeof embedding === "string" || Array.isArray(embedding);
}
