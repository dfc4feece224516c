import type { Usage } from "../../base/job.ts";
import { type AnswerReading, broken, type Broken, type Done, jsonOf } from "../reading.ts";
import { type EmbeddingsRequest, type EmbeddingsShape, printEmbeddings } from "./form.ts";

/** Embeddings in a backend's shape for a client that speaks OpenAI's. Owned by one attempt. */
export class ConvertedEmbeddingsReading implements AnswerReading {
  readonly passesComments = false;
  hasContent = false;
  readonly text = "";
  readonly pieces = 0;
  reported: Usage | null = null;
  readonly finishReason = "stop";
  readonly #shape: EmbeddingsShape;
  readonly #request: EmbeddingsRequest;

  constructor(shape: EmbeddingsShape, request: EmbeddingsRequest) {
    this.#shape = shape;
    this.#request = request;
  }

  event(): Broken {
    return broken("a stream in place of embeddings");
  }

  end(): Broken {
    return this.event();
  }

  whole(body: Buffer): Done | Broken {
    const answer = this.#shape.read(jsonOf(body.toString("utf8")));
    if (answer === null) return broken("an answer that is not embeddings");
    if (answer.vectors.length !== this.#request.texts.length) return broken("not one embedding for each text");
    this.hasContent = true;
    this.reported = {
      inputTokens: answer.inputTokens,
      cachedInputTokens: null,
      cacheWriteTokens: null,
      outputTokens: 0,
      reasoningTokens: null,
      reportedCostNanoUsd: null,
      method: "provider_reported",
    };
    return { kind: "done", bytes: Buffer.from(JSON.stringify(printEmbeddings(answer, this.#request))) };
  }
}
