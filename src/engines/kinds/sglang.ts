import type { MetricSample } from "../../wire/exposition.ts";
import { type EngineObservation, type ModelObservation, unknownObservation } from "../../base/engine-observation.ts";
import { count, items, limit, member, number, text, texts } from "./json.ts";
import { modelsByRoot, ownedBy, sharedContext } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";
import { integerOf, millionthsOf, milliOf, type Scrape } from "./scrape.ts";

const LOADS = "/v1/loads";
const METRICS = "/metrics";
const MODEL_INFO = "/get_model_info";

type Load = Pick<
  EngineObservation,
  | "running"
  | "waiting"
  | "waitingUncachedTokens"
  | "kvUsageMillionths"
  | "kvTotalTokens"
  | "generationMilliTokensPerSecond"
  | "maxConcurrent"
  | "dataParallelRanks"
>;

/**
 * SGLang. `/v1/loads` is the best word that any engine gives of its load (python/sglang/srt/entrypoints/v1_loads.py); where it is
 * not there, the metrics of `--enable-metrics` say most of it.
 */
export const sglang: KindReader = {
  kind: "sglang",
  endpoints: [MODELS, root(LOADS), root(METRICS), root(MODEL_INFO)],
  matches: (answers) =>
    answers.scrape(METRICS).speaks("sglang:") || ownedBy(answers, "sglang") || loadsOf(answers).length > 0,
  read: (answers) => {
    const scrape = answers.scrape(METRICS);
    const loads = loadsOf(answers);
    const models = describe(answers, modelsByRoot(answers));
    return {
      ...unknownObservation("sglang"),
      version: text(member(answers.json(LOADS), "version")),
      ...(loads.length > 0 ? readLoads(loads) : readScrape(scrape)),
      kvBlockTokens: pageTokens(scrape),
      prefixCacheQueryTokens: integerOf(scrape.sum(["sglang:prompt_tokens_total"])),
      prefixCacheHitTokens: cachedTokens(scrape),
      contextTokens: sharedContext(models),
      models,
    };
  },
};

/** The loads of the data-parallel ranks; versions before 0.5 wrapped them differently or not at all. */
function loadsOf(answers: Answers): readonly unknown[] {
  return items(member(answers.json(LOADS), "loads")).filter((load) => count(member(load, "num_running_reqs")) !== null);
}

function readLoads(loads: readonly unknown[]): Load {
  const sum = (name: string): number | null => {
    const figures = loads.map((load) => number(member(load, name)));
    return figures.includes(null) ? null : figures.reduce<number>((all, each) => all + (each ?? 0), 0);
  };
  const total = sum("max_total_num_tokens");
  const used = sum("num_used_tokens");
  return {
    running: integerOf(sum("num_running_reqs")),
    waiting: integerOf(sum("num_waiting_reqs")),
    waitingUncachedTokens: integerOf(sum("num_waiting_uncached_tokens")),
    kvUsageMillionths: used === null || total === null || total === 0 ? null : millionthsOf(Math.min(1, used / total)),
    kvTotalTokens: limit(total),
    generationMilliTokensPerSecond: milliOf(sum("gen_throughput")),
    maxConcurrent: limit(sum("max_running_requests")),
    dataParallelRanks: loads.length,
  };
}

/**
 * Every tensor-parallel rank reports its data-parallel rank's figures, so that within one the greatest counts, and between them
 * the sum. With priority scheduling there are samples by priority besides the one for all, whose `priority` is empty.
 */
function readScrape(scrape: Scrape): Load {
  const byRank = (name: string): ReadonlyMap<string, number> => {
    const ranks = new Map<string, number>();
    for (const { labels, value } of scrape.samples([name], isForAllPriorities)) {
      const rank = labels.get("dp_rank") ?? "0";
      ranks.set(rank, Math.max(ranks.get(rank) ?? 0, value));
    }
    return ranks;
  };
  const sum = (name: string): number | null => {
    const ranks = byRank(name);
    return ranks.size === 0 ? null : [...ranks.values()].reduce((all, each) => all + each, 0);
  };
  const usage = byRank("sglang:token_usage");
  const used = sum("sglang:token_usage");
  const ranks = scrape.samples(["sglang:num_running_reqs"]).some(({ labels }) => labels.has("dp_rank"))
    ? byRank("sglang:num_running_reqs").size
    : null;
  const pages = labelled(scrape, "num_pages");
  const page = pageTokens(scrape);
  const inPages = pages === null || page === null ? null : pages * page * (ranks ?? 1);
  return {
    running: integerOf(sum("sglang:num_running_reqs")),
    waiting: integerOf(sum("sglang:num_queue_reqs")),
    waitingUncachedTokens: null,
    kvUsageMillionths: used === null ? null : millionthsOf(used / usage.size),
    kvTotalTokens: integerOf(sum("sglang:max_total_num_tokens") ?? inPages),
    generationMilliTokensPerSecond: milliOf(sum("sglang:gen_throughput")),
    maxConcurrent: null,
    dataParallelRanks: ranks,
  };
}

function isForAllPriorities({ labels }: MetricSample): boolean {
  return (labels.get("priority") ?? "") === "";
}

/** By where they were cached; some versions give the total besides. */
function cachedTokens(scrape: Scrape): number | null {
  const names = ["sglang:cached_tokens_total"];
  const isTotal = ({ labels }: MetricSample): boolean => labels.get("cache_source") === "total";
  return integerOf(scrape.sum(names, isTotal) ?? scrape.sum(names));
}

function pageTokens(scrape: Scrape): number | null {
  return labelled(scrape, "page_size");
}

function labelled(scrape: Scrape, name: string): number | null {
  const written = scrape.samples(["sglang:cache_config_info"])[0]?.labels.get(name) ?? "";
  return /^\d+$/.test(written) ? limit(Number(written)) : null;
}

/** What `/get_model_info` adds to the one model that a server has. */
function describe(answers: Answers, models: readonly ModelObservation[] | null): readonly ModelObservation[] | null {
  const info = answers.json(MODEL_INFO);
  const [model, ...rest] = models ?? [];
  if (model === undefined || rest.length > 0 || info === undefined) return models;
  const reads = (what: string): boolean | null => {
    const value = member(info, `has_${what}_understanding`);
    return typeof value === "boolean" ? value : null;
  };
  const image = reads("image");
  const audio = reads("audio");
  const modalities = ["text", ...(image === true ? ["image"] : []), ...(audio === true ? ["audio"] : [])];
  return [
    {
      ...model,
      architecture: texts(member(info, "architectures"))[0] ?? text(member(info, "model_type")),
      modalities: image === null && audio === null ? null : modalities,
    },
  ];
}
