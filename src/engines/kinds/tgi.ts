import { unknownModel, unknownObservation } from "../../base/engine-observation.ts";
import { count, limit, member, text } from "./json.ts";
import { type KindReader, MODELS, root } from "./reader.ts";
import { integerOf } from "./scrape.ts";

const METRICS = "/metrics";
const INFO = "/info";

/**
 * Hugging Face's Text Generation Inference, by docs/source/reference/metrics.md and docs/openapi.json of its repository. It says
 * nothing of its KV cache but, before 2.1, for how many tokens it has room; `tgi_batch_current_max_tokens` is what the batch may still become, and no usage.
 */
export const tgi: KindReader = {
  kind: "tgi",
  endpoints: [MODELS, root(INFO), root(METRICS)],
  matches: (answers) =>
    answers.scrape(METRICS).speaks("tgi_") || count(member(answers.json(INFO), "max_best_of")) !== null,
  read: (answers) => {
    const scrape = answers.scrape(METRICS);
    const info = answers.json(INFO);
    const id = text(member(info, "model_id"));
    const contextTokens = limit(member(info, "max_total_tokens"));
    return {
      ...unknownObservation("tgi"),
      version: text(member(info, "version")),
      running: integerOf(scrape.sum(["tgi_batch_current_size"])),
      waiting: integerOf(scrape.sum(["tgi_queue_size"])),
      kvTotalTokens: limit(member(info, "max_batch_total_tokens")),
      maxConcurrent: limit(member(info, "max_batch_size")),
      contextTokens,
      models:
        id === null
          ? null
          : [{ ...unknownModel(id), contextTokens, quantization: text(member(info, "model_dtype")), state: "loaded" }],
    };
  },
};
