import type { BackendId } from "./ids.ts";

/** What a model can read or make. */
export const MODALITIES = ["text", "image", "audio", "video", "file"] as const;
export type Modality = (typeof MODALITIES)[number];

/** What a model may be able to do besides, by the names that the configuration has for it. */
export const CAPABILITIES = ["tools", "jsonSchema", "reasoning", "embeddings"] as const;
export type CapabilityName = (typeof CAPABILITIES)[number];

/** What the configuration says of a model, whichever backend serves it. Null or absent is unknown, and unknown forbids nothing. */
export interface ModelCard {
  /** Tokens that prompt and answer may fill together. */
  readonly contextTokens: number | null;
  /** The most tokens of one answer. */
  readonly maxOutputTokens: number | null;
  readonly inputModalities: readonly Modality[] | null;
  readonly outputModalities: readonly Modality[] | null;
  readonly capabilities: Readonly<Partial<Record<CapabilityName, boolean>>>;
  readonly description: string | null;
  readonly ownedBy: string | null;
}

/** Nothing is known of a model. */
export const UNKNOWN_MODEL: ModelCard = {
  contextTokens: null,
  maxOutputTokens: null,
  inputModalities: null,
  outputModalities: null,
  capabilities: {},
  description: null,
  ownedBy: null,
};

/** The lowest prices among the backends that serve a model, in nano-dollars per million tokens. */
export interface ListedPrice {
  readonly inputNanoUsdPerMillion: number;
  /** Null: as input. */
  readonly cachedInputNanoUsdPerMillion: number | null;
  /** For what is written to a cache. Null: as input. */
  readonly cacheWriteNanoUsdPerMillion: number | null;
  readonly outputNanoUsdPerMillion: number;
  /** Null: as output. */
  readonly reasoningNanoUsdPerMillion: number | null;
  /** True where another backend of the model has another price, or none that is known. */
  readonly isFrom: boolean;
}

/** One model as a client may ask for it. */
export interface ModelView extends ModelCard {
  readonly model: string;
  /** Other names for it that this client may use. */
  readonly aliases: readonly string[];
  /** For an alias that is listed by itself, the models that it stands for, in order; else empty. */
  readonly aliasOf: readonly string[];
  readonly backendIds: readonly BackendId[];
  /** Null where no backend that serves it declares a price. */
  readonly price: ListedPrice | null;
}
