import type { Usage } from "../base/job.ts";
import { arrayOf, isObject, numberOf } from "./json.ts";
import { type AnswerReading, broken, type Broken, type Done, jsonOf } from "./reading.ts";

/** Embeddings (OpenAI API reference, "Create embeddings"): one whole answer, whose output is no tokens. Owned by one attempt. */
export class EmbeddingsReading implements AnswerReading {
  readonly passesComments = false;
  hasContent = false;
  readonly text = "";
  readonly pieces = 0;
  reported: Usage | null = null;
  readonly finishReason = "stop";

  event(): Broken {
    return broken("a stream in place of embeddings");
  }

  end(): Broken {
    return this.event();
  }

  whole(body: Buffer): Done | Broken {
    const value = jsonOf(body.toString("utf8"));
    const vectors = isObject(value) ? value["data"] : undefined;
    if (!isObject(value) || !Array.isArray(vectors) || !arrayOf(vectors).every(isVector)) {
      return broken("an answer that is not embeddings");
    }
    this.hasContent = true;
    const usage = isObject(value["usage"]) ? value["usage"] : {};
    this.reported = {
      inputTokens: numberOf(usage["prompt_tokens"]),
      cachedInputTokens: null,
      cacheWriteTokens: null,
      outputTokens: 0,
      reasoningTokens: null,
      reportedCostNanoUsd: null,
      method: "provider_reported",
    };
    return { kind: "done", bytes: body };
  }
}

function isVector(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { embedding } = value;
  return typeof embedding === "string" || Array.isArray(embedding);
}
