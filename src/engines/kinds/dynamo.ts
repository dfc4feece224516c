import type { MetricSample } from "../../wire/exposition.ts";
import { type ModelObservation, unknownObservation } from "../../base/engine-observation.ts";
import { modelsByName, sharedContext } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";
import { integerOf, millionthsOf, type Scrape } from "./scrape.ts";

const METRICS = "/metrics";
const MODEL = "dynamo_frontend_model_";

/**
 * NVIDIA Dynamo's frontend, by docs/observability/metrics.md of its repository: the pool behind it as one engine. A request counts
 * as queued until its first token, so that what waits here includes prefill. Of a model's workers the first one's figures are
 * given, and taken for those of all.
 */
export const dynamo: KindReader = {
  kind: "dynamo",
  endpoints: [MODELS, root(METRICS)],
  matches: (answers) => answers.scrape(METRICS).speaks("dynamo_frontend_"),
  read: (answers) => {
    const scrape = answers.scrape(METRICS);
    const inFlight = integerOf(scrape.sum(["dynamo_frontend_inflight_requests"]));
    const waiting = integerOf(scrape.sum(["dynamo_frontend_queued_requests"]));
    const models = modelsOf(answers, scrape);
    return {
      ...unknownObservation("dynamo"),
      running: inFlight === null || waiting === null ? null : Math.max(0, inFlight - waiting),
      waiting,
      kvUsageMillionths: millionthsOf(
        scrape.mean(["dynamo_component_gpu_cache_usage_percent", "dynamo_component_kvstats_gpu_cache_usage_percent"]),
      ),
      kvTotalTokens: overWorkers(scrape, "total_kv_blocks", "kv_cache_block_size"),
      kvBlockTokens: blockTokens(scrape),
      maxConcurrent: overWorkers(scrape, "max_num_seqs", null),
      contextTokens: sharedContext(models),
      models,
    };
  },
};

/** A figure of each model times its workers, times another figure where one is named; null when one of them is missing. */
function overWorkers(scrape: Scrape, name: string, times: string | null): number | null {
  const samples = scrape.samples([MODEL + name]);
  let total = 0;
  for (const { labels, value } of samples) {
    const of = (other: string): number | null => scrape.max([MODEL + other], sameModel(labels.get("model")));
    const workers = of("workers");
    const factor = times === null ? 1 : of(times);
    if (workers === null || factor === null) return null;
    total += value * workers * factor;
  }
  return samples.length === 0 || total === 0 ? null : integerOf(total);
}

/** The block size where all models have the same. */
function blockTokens(scrape: Scrape): number | null {
  const sizes = new Set(scrape.samples([`${MODEL}kv_cache_block_size`]).map(({ value }) => value));
  const [size] = sizes;
  return sizes.size !== 1 || size === undefined || size === 0 ? null : integerOf(size);
}

function modelsOf(answers: Answers, scrape: Scrape): readonly ModelObservation[] | null {
  const models = modelsByName(answers);
  if (models === null) return null;
  return models.map((model) => {
    const context = integerOf(scrape.max([`${MODEL}context_length`], sameModel(model.id)));
    return { ...model, contextTokens: context === 0 ? null : context, state: "loaded" };
  });
}

/** Some of its versions write model names in lower case in some metrics. */
function sameModel(name: string | undefined): (sample: MetricSample) => boolean {
  return ({ labels }) => labels.get("model")?.toLowerCase() === name?.toLowerCase();
}
