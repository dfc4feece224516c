import { type EngineObservation, unknownObservation } from "../../base/engine-observation.ts";
import { count, items, limit, member } from "./json.ts";
import { modelsByName, ownedBy } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";
import { integerOf, millionthsOf, type Scrape } from "./scrape.ts";

const PROMETHEUS = "/prometheus/metrics";
const ITERATIONS = "/metrics";
const VERSION = "/version";

type Load = Pick<
  EngineObservation,
  "running" | "waiting" | "kvUsageMillionths" | "kvTotalTokens" | "kvBlockTokens" | "maxConcurrent"
>;

/**
 * TensorRT-LLM's trtllm-serve. Metrics by tensorrt_llm/metrics/collector.py, served with `return_perf_metrics: true`; without them
 * the statistics of the last iterations at `/metrics`, which whoever reads them takes away, so that they come second.
 */
export const trtllm: KindReader = {
  kind: "trtllm",
  endpoints: [MODELS, root(PROMETHEUS), root(ITERATIONS, isWithoutMetrics), root(VERSION)],
  matches: (answers) =>
    answers.scrape(PROMETHEUS).speaks("trtllm_") || lastIteration(answers) !== null || ownedBy(answers, "tensorrt_llm"),
  read: (answers) => {
    const scrape = answers.scrape(PROMETHEUS);
    return {
      ...unknownObservation("trtllm"),
      version: answers.version(VERSION),
      ...(scrape.speaks("trtllm_") ? readScrape(scrape) : readIteration(lastIteration(answers))),
      prefixCacheQueryTokens: integerOf(scrape.sum(["trtllm_prompt_tokens_total"])),
      prefixCacheHitTokens: integerOf(scrape.sum(["trtllm_prompt_cached_tokens_total"])),
      models: modelsByName(answers),
    };
  },
};

function isWithoutMetrics(answers: Answers): boolean {
  return !answers.scrape(PROMETHEUS).speaks("trtllm_");
}

function readScrape(scrape: Scrape): Load {
  const block = limit(integerOf(scrape.max(["trtllm_kv_cache_tokens_per_block"])));
  const blocks = limit(integerOf(scrape.sum(["trtllm_kv_cache_max_blocks"])));
  return {
    running: integerOf(scrape.sum(["trtllm_num_requests_running"])),
    waiting: integerOf(scrape.sum(["trtllm_num_requests_waiting"])),
    kvUsageMillionths: millionthsOf(scrape.mean(["trtllm_kv_cache_utilization"])),
    kvTotalTokens: block === null || blocks === null ? null : integerOf(block * blocks),
    kvBlockTokens: block,
    maxConcurrent: limit(integerOf(scrape.sum(["trtllm_max_num_active_requests"]))),
  };
}

/** The newest of the iterations that `/metrics` gave, or null when there is none: the list is empty while nothing runs. */
function lastIteration(answers: Answers): unknown {
  const last = items(answers.json(ITERATIONS)).at(-1);
  return member(last, "iter") === undefined ? null : last;
}

function readIteration(iteration: unknown): Load {
  const kv = member(iteration, "kvCacheStats");
  const blocks = limit(member(kv, "maxNumBlocks"));
  const used = count(member(kv, "usedNumBlocks"));
  const block = limit(member(kv, "tokensPerBlock"));
  return {
    running: count(member(iteration, "numActiveRequests")),
    waiting: count(member(iteration, "numQueuedRequests")),
    kvUsageMillionths: used === null || blocks === null ? null : millionthsOf(used / blocks),
    kvTotalTokens: block === null || blocks === null ? null : integerOf(block * blocks),
    kvBlockTokens: block,
    maxConcurrent: limit(member(iteration, "maxNumActiveRequests")),
  };
}
