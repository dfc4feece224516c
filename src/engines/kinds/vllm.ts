import { unknownObservation } from "../../base/engine-observation.ts";
import { limit } from "./json.ts";
import { modelsByRoot, ownedBy, sharedContext } from "./model-lists.ts";
import { type KindReader, MODELS, root } from "./reader.ts";
import { integerOf, millionthsOf, type Scrape } from "./scrape.ts";

const METRICS = "/metrics";
const VERSION = "/version";

/**
 * vLLM. Metrics by https://docs.vllm.ai/en/latest/design/metrics.html; old names are of the versions before 0.10, which said
 * `gpu_` where it is no longer said. Each data-parallel engine has the label `engine` and a cache of its own.
 */
export const vllm: KindReader = {
  kind: "vllm",
  endpoints: [MODELS, root(METRICS), root(VERSION)],
  matches: (answers) => answers.scrape(METRICS).speaks("vllm:") || ownedBy(answers, "vllm"),
  read: (answers) => {
    const scrape = answers.scrape(METRICS);
    const models = modelsByRoot(answers);
    const prefix = (what: string): number | null =>
      integerOf(
        scrape.sum([
          `vllm:prefix_cache_${what}_total`,
          `vllm:prefix_cache_${what}`,
          `vllm:gpu_prefix_cache_${what}_total`,
          `vllm:gpu_prefix_cache_${what}`,
        ]),
      );
    return {
      ...unknownObservation("vllm"),
      version: answers.version(VERSION),
      running: integerOf(scrape.sum(["vllm:num_requests_running"])),
      waiting: integerOf(scrape.sum(["vllm:num_requests_waiting"])),
      // Data-parallel engines are alike, so that the mean of their parts is the part of the whole.
      kvUsageMillionths: millionthsOf(scrape.mean(["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"])),
      ...cacheOf(scrape),
      prefixCacheQueryTokens: prefix("queries"),
      prefixCacheHitTokens: prefix("hits"),
      contextTokens: sharedContext(models),
      dataParallelRanks: ranksOf(scrape),
      models,
    };
  },
};

/** Engines that the metrics tell apart, or null when they tell none apart. */
function ranksOf(scrape: Scrape): number | null {
  const engines = scrape.samples(["vllm:num_requests_running"]).flatMap(({ labels }) => labels.get("engine") ?? []);
  return engines.length === 0 ? null : new Set(engines).size;
}

/** The cache's size, which stands in the labels of an information metric; `None` until the engine has measured its memory. */
function cacheOf(scrape: Scrape): { readonly kvTotalTokens: number | null; readonly kvBlockTokens: number | null } {
  const infos = scrape.samples(["vllm:cache_config_info"]);
  const figures = infos.map(({ labels }) => {
    const block = figure(labels, "block_size");
    const blocks = figure(labels, "num_gpu_blocks");
    const product = block === null || blocks === null ? null : block * blocks;
    return { block, tokens: figure(labels, "kv_cache_size_tokens") ?? product };
  });
  const tokens = figures.map((each) => each.tokens);
  const total =
    tokens.length === 0 || tokens.includes(null) ? null : tokens.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  // Where the information has no label of its engine it is one engine's, of as many as there are.
  const perEngine = infos.length === 1 && infos[0]?.labels.has("engine") === false ? (ranksOf(scrape) ?? 1) : 1;
  return {
    kvTotalTokens: total === null ? null : integerOf(total * perEngine),
    kvBlockTokens: figures[0]?.block ?? null,
  };
}

function figure(labels: ReadonlyMap<string, string>, name: string): number | null {
  const written = labels.get(name) ?? "";
  return /^\d+$/.test(written) ? limit(Number(written)) : null;
}
