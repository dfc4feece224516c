/** How far a figure may be trusted; docs/catalogue.md says what each means. */
export type Confidence =
  | "vendor"
  | "measured"
  | "published"
  | "listed"
  | "derived"
  | "modelled"
  | "secondary"
  | "preliminary"
  | "unchecked"
  | "user";

/** Where facts come from and when they were read there. `source` is the id of an entry of sources.json. */
export interface Provenance {
  readonly source: string;
  /** The day, as YYYY-MM-DD, on which the source said so or was read. */
  readonly date: string;
  readonly confidence: Confidence;
}

/** One number with its origin; where sources give a range, its ends, and `value` is the end that the model uses. */
export interface Figure extends Provenance {
  readonly value: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

/** One source, by the id that figures name. */
export interface Source {
  readonly id: string;
  readonly kind: string;
  readonly reference: string;
  readonly date: string;
}

/** A chip, or a machine of several. Figures are of the whole entry, except `tdpW` and `allInKw`, which are per chip. Null is unknown. */
export interface Accelerator {
  readonly id: string;
  readonly name: string;
  readonly vendor: string;
  readonly form: string;
  /** Chips in the entry. */
  readonly accelerators: number;
  /** For a machine, the entry of its chip, whose figures stand in for those that are unknown here. */
  readonly chip: string | null;
  readonly aliases: readonly string[];
  /** Chips that the fast interconnect joins. */
  readonly scaleUpDomain: number;
  /** True where processor and accelerator share one memory. */
  readonly unifiedMemory: boolean;
  readonly memoryGB: Figure | null;
  readonly bandwidthTBps: Figure | null;
  /** Dense peaks; TFLOP/s, or TOP/s for int8. */
  readonly bf16Tflops: Figure | null;
  readonly fp8Tflops: Figure | null;
  readonly fp4Tflops: Figure | null;
  readonly int8Tops: Figure | null;
  /** One direction, per chip; for a rack, the sum of both directions. */
  readonly scaleUpGBps: Figure | null;
  readonly tdpW: Figure | null;
  /** Power of the machine at full load. */
  readonly systemKw: Figure | null;
  /** Power per chip with host, network and cooling at full load. */
  readonly allInKw: Figure | null;
  readonly cooling: (Provenance & { readonly value: string }) | null;
  readonly notes: string | null;
}

/** Attention with a KV cache: grouped queries (MHA where kvHeads = heads), some layers perhaps with a sliding window. */
export interface GroupedAttention {
  readonly kind: "gqa";
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly windowTokens: number | null;
  /** Layers that see only the window; the rest see all. */
  readonly windowLayers: number;
}

/** Multi-head latent attention: the cache holds one latent vector a token, shared by all heads. */
export interface LatentAttention {
  readonly kind: "mla";
  readonly heads: number;
  /** Null where queries are not compressed. */
  readonly queryRank: number | null;
  readonly kvRank: number;
  readonly ropeDim: number;
  readonly nopeDim: number;
  readonly valueDim: number;
}

/** Layers whose attention keeps a state of fixed size instead of a cache that grows. */
export interface LinearAttention {
  readonly layers: number;
  readonly keyHeads: number;
  readonly valueHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
}

/** Experts of the layers that have them. `sharedIntermediate` is 0 where no expert serves every token. */
export interface Experts {
  readonly count: number;
  readonly active: number;
  readonly intermediate: number;
  readonly sharedIntermediate: number;
}

/** The dimensions of a model. */
export interface Model extends Provenance {
  readonly id: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly layers: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly contextTokens: number;
  readonly tiedEmbeddings: boolean;
  readonly attention: GroupedAttention | LatentAttention;
  readonly linearAttention: LinearAttention | null;
  /** The feed-forward network of layers without experts; `gated` ones have three matrices, others two. */
  readonly ffn: { readonly intermediate: number; readonly gated: boolean; readonly denseLayers: number };
  readonly experts: Experts | null;
  /** Layers trained to draft further tokens. */
  readonly mtpLayers: number;
  /** The precision in which its weights were published, by id. */
  readonly nativePrecision: string;
  readonly publishedParameters: number | null;
  readonly publishedActiveParameters: number | null;
}

/** The number format that multiplications run in. */
export type ComputeFormat = "bf16" | "fp8" | "fp4" | "int8";

/** A precision of weights and KV cache. */
export interface Precision extends Provenance {
  readonly id: string;
  readonly aliases: readonly string[];
  /** Bytes a weight, scales included. */
  readonly weightBytes: number;
  /** Bytes a weight of attention, which many four-bit checkpoints keep wider. */
  readonly attentionWeightBytes: number;
  /** Bytes a weight of the embedding table and the output head. */
  readonly embeddingBytes: number;
  /** Bytes an element of the KV cache. */
  readonly kvBytes: number;
  readonly format: string;
  readonly compute: ComputeFormat;
  /** Share of quality lost against 16 bit, where a source says; unknown so far for all. */
  readonly qualityLoss: Figure | null;
}

/** The three kinds of price, which are never mixed: modelled cost of owning, rented by the hour, bought. */
export type PriceKind = "tco" | "rented" | "purchase";

/** One price of one accelerator. */
export interface Price {
  readonly accelerator: string;
  readonly kind: PriceKind;
  /** Whose: `hyperscaler`, `neocloud`, `retail`, `on_demand` … */
  readonly tier: string | null;
  readonly unit: "usdPerHour" | "usd";
  readonly price: Figure;
}

/** One grid zone. */
export interface Grid {
  /** ISO 3166 alpha-3, or a region's name. */
  readonly zone: string;
  readonly gramsPerKwh: Figure | null;
  readonly usdPerKwh: Figure | null;
}

/** Everything known, at one version. */
export interface Catalog {
  readonly catalogVersion: string;
  readonly sources: readonly Source[];
  readonly accelerators: readonly Accelerator[];
  readonly models: readonly Model[];
  readonly precisions: readonly Precision[];
  readonly prices: readonly Price[];
  readonly grids: readonly Grid[];
}
