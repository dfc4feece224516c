import { type ModelObservation, unknownModel, unknownObservation } from "../../base/engine-observation.ts";
import { count, items, limit, member, text, texts } from "./json.ts";
import { entriesOf, listed, ownedBy } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";
import { integerOf, millionthsOf, milliOf } from "./scrape.ts";

const HEALTH = "/health";
const PROPS = "/props";
const SLOTS = "/slots";
const METRICS = "/metrics";
const LORAS = "/lora-adapters";

/**
 * llama.cpp's server, by tools/server/README.md. Metrics need its `--metrics`; slots are there unless `--no-slots`. The two
 * figures of its KV cache were taken out of its metrics in 2025 and are read where an old server still says them.
 */
export const llamacpp: KindReader = {
  kind: "llamacpp",
  endpoints: [MODELS, root(HEALTH), root(PROPS), root(SLOTS), root(METRICS), root(LORAS)],
  matches: (answers) =>
    answers.scrape(METRICS).speaks("llamacpp:") ||
    count(member(answers.json(PROPS), "total_slots")) !== null ||
    ownedBy(answers, "llamacpp"),
  read: (answers) => {
    const scrape = answers.scrape(METRICS);
    const props = answers.json(PROPS);
    const slots = slotsOf(answers);
    const contextTokens =
      limit(member(props, "default_generation_settings", "n_ctx")) ?? limit(member(slots?.[0], "n_ctx"));
    return {
      ...unknownObservation("llamacpp"),
      version: text(member(props, "build_info")),
      running: integerOf(scrape.sum(["llamacpp:requests_processing"])) ?? busySlots(slots),
      waiting: integerOf(scrape.sum(["llamacpp:requests_deferred"])),
      kvUsageMillionths: millionthsOf(scrape.max(["llamacpp:kv_cache_usage_ratio"])),
      generationMilliTokensPerSecond: milliOf(scrape.max(["llamacpp:predicted_tokens_seconds"])),
      maxConcurrent: limit(member(props, "total_slots")) ?? limit(slots?.length),
      contextTokens,
      models: modelsOf(answers, contextTokens),
    };
  },
  starting: (answers) => {
    const health = answers.any(HEALTH);
    return health?.status === 503 && /loading model/i.test(health.body);
  },
};

function slotsOf(answers: Answers): readonly unknown[] | null {
  const slots = items(answers.json(SLOTS));
  return slots.length > 0 && slots.every((slot) => typeof member(slot, "is_processing") === "boolean") ? slots : null;
}

function busySlots(slots: readonly unknown[] | null): number | null {
  return slots === null ? null : slots.filter((slot) => member(slot, "is_processing") === true).length;
}

/** In router mode the list has every model that could be loaded, and the properties are of none of them. */
function modelsOf(answers: Answers, contextTokens: number | null): readonly ModelObservation[] | null {
  const entries = entriesOf(answers);
  if (entries === null) return null;
  const props = answers.json(PROPS);
  const isOnly = entries.length === 1;
  return listed(
    entries.flatMap((entry): readonly ModelObservation[] => {
      const id = text(member(entry, "id"));
      if (id === null) return [];
      const path = (isOnly ? text(member(props, "model_path")) : null) ?? id;
      return [
        {
          ...unknownModel(id),
          aliases: texts(member(entry, "aliases")).filter((alias) => alias !== id),
          loras: isOnly ? items(answers.json(LORAS)).flatMap((lora) => text(member(lora, "path")) ?? []) : [],
          contextTokens: (isOnly ? contextTokens : null) ?? limit(member(entry, "meta", "n_ctx_train")),
          quantization: quantizationOf(path),
          state: stateOf(entry, isOnly ? props : undefined),
          sizeBytes: limit(member(entry, "meta", "size")),
          modalities: modalitiesOf(entry, isOnly ? props : undefined),
        },
      ];
    }),
  );
}

/** The precision in a GGUF's file name, such as `…-Q4_K_M.gguf`, or null. */
function quantizationOf(path: string): string | null {
  const match = /[-._]((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|BF16|F16|F32|MXFP4|NVFP4))(?:-\d+-of-\d+)?(?:\.gguf)?$/i.exec(
    path,
  );
  return match?.[1]?.toUpperCase() ?? null;
}

function stateOf(entry: unknown, props: unknown): ModelObservation["state"] {
  const status = text(member(entry, "status", "value"));
  if (status === "unloaded" || status === "loaded" || status === "sleeping") return status;
  const sleeping = member(props, "is_sleeping");
  return typeof sleeping === "boolean" ? (sleeping ? "sleeping" : "loaded") : null;
}

function modalitiesOf(entry: unknown, props: unknown): readonly string[] | null {
  const listedOnes = texts(member(entry, "architecture", "input_modalities"));
  if (listedOnes.length > 0) return listedOnes;
  const vision = member(props, "modalities", "vision");
  if (typeof vision !== "boolean") return null;
  const audio = member(props, "modalities", "audio") === true;
  return ["text", ...(vision ? ["image"] : []), ...(audio ? ["audio"] : [])];
}
