/** Engines that are known by name. `openai` is any other server with an OpenAI-compatible API. */
export const ENGINE_KINDS = [
  "openai",
  "vllm",
  "sglang",
  "trtllm",
  "llamacpp",
  "ollama",
  "lmstudio",
  "tgi",
  "dynamo",
] as const;

export type EngineKind = (typeof ENGINE_KINDS)[number];

/** One model as its engine describes it. Null is what the engine does not say. */
export interface ModelObservation {
  /** The name under which requests ask for it. */
  readonly id: string;
  /** Other names of the same model. */
  readonly aliases: readonly string[];
  /** LoRA adapters on top of it, by the names that the engine gives them. */
  readonly loras: readonly string[];
  /** Tokens that one request may fill: of the loaded instance, else the most that the model takes. */
  readonly contextTokens: number | null;
  /** The engine's own word for the weights' precision, such as `Q4_K_M`. */
  readonly quantization: string | null;
  readonly state: "loaded" | "sleeping" | "unloaded" | null;
  readonly sizeBytes: number | null;
  readonly architecture: string | null;
  /** What it reads: `text`, `image`, `audio`, `video`. */
  readonly modalities: readonly string[] | null;
}

/**
 * What an engine says of itself, in the same words for all kinds. Null is what it does not say, and never zero. Every figure
 * is an integer, so that the kernel may keep it.
 */
export interface EngineObservation {
  readonly kind: EngineKind;
  readonly version: string | null;
  /** Requests that it works on. */
  readonly running: number | null;
  /** Requests that wait inside it. */
  readonly waiting: number | null;
  /** Prompt tokens of waiting requests that no cache holds: the prefill that it owes. */
  readonly waitingUncachedTokens: number | null;
  /** Part of the KV cache in use, in millionths. */
  readonly kvUsageMillionths: number | null;
  /** Tokens that the KV cache holds when full. */
  readonly kvTotalTokens: number | null;
  /** Tokens of one KV block or page. */
  readonly kvBlockTokens: number | null;
  /** Prompt tokens looked up in the prefix cache, and those found there, both since the engine started. */
  readonly prefixCacheQueryTokens: number | null;
  readonly prefixCacheHitTokens: number | null;
  /** Output tokens made in a second, by the engine's own average, in thousandths. */
  readonly generationMilliTokensPerSecond: number | null;
  /** Requests that it can work on at once. */
  readonly maxConcurrent: number | null;
  /** Tokens that prompt and answer of one request may fill, where this is so for every model. */
  readonly contextTokens: number | null;
  readonly dataParallelRanks: number | null;
  readonly models: readonly ModelObservation[] | null;
}

/** Nothing is known but the kind. */
export function unknownObservation(kind: EngineKind): EngineObservation {
  return {
    kind,
    version: null,
    running: null,
    waiting: null,
    waitingUncachedTokens: null,
    kvUsageMillionths: null,
    kvTotalTokens: null,
    kvBlockTokens: null,
    prefixCacheQueryTokens: null,
    prefixCacheHitTokens: null,
    generationMilliTokensPerSecond: null,
    maxConcurrent: null,
    contextTokens: null,
    dataParallelRanks: null,
    models: null,
  };
}

/** A model of which nothing but its name is known. */
export function unknownModel(id: string): ModelObservation {
  return {
    id,
    aliases: [],
    loras: [],
    contextTokens: null,
    quantization: null,
    state: null,
    sizeBytes: null,
    architecture: null,
    modalities: null,
  };
}
