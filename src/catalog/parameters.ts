import type { Model } from "./types.ts";

/** Weights of a model by the part that reads them; norms and biases, a hundredth of a percent, are left out. */
export interface Parameters {
  /** Attention of all layers, linear ones included. */
  readonly attention: number;
  /** Feed-forward networks of all layers without experts. */
  readonly dense: number;
  /** Experts that serve every token, and routers, of all layers. */
  readonly shared: number;
  /** One expert of one layer. */
  readonly expert: number;
  readonly expertLayers: number;
  readonly embedding: number;
  /** The output head; the same weights as the embedding where they are tied, and read all the same. */
  readonly head: number;
  readonly total: number;
  /** Weights that one token is multiplied with, the embedding table aside. */
  readonly active: number;
}

/** Counts the weights that a model's dimensions make. */
export function countParameters(model: Model): Parameters {
  const { hidden, layers, experts, ffn } = model;
  const linearLayers = model.linearAttention?.layers ?? 0;
  const attention = (layers - linearLayers) * attentionOf(model) + linearLayers * linearOf(model);
  const matrices = ffn.gated ? 3 : 2;
  const dense = ffn.denseLayers * matrices * hidden * ffn.intermediate;
  const expertLayers = experts === null ? 0 : layers - ffn.denseLayers;
  const expert = experts === null ? 0 : matrices * hidden * experts.intermediate;
  const everyToken = experts === null ? 0 : matrices * hidden * experts.sharedIntermediate + hidden * experts.count;
  const shared = expertLayers * everyToken;
  const embedding = model.vocab * hidden;
  const routed = (each: number): number => expertLayers * each * expert;
  return {
    attention,
    dense,
    shared,
    expert,
    expertLayers,
    embedding,
    head: embedding,
    total: attention + dense + shared + routed(experts?.count ?? 0) + embedding * (model.tiedEmbeddings ? 1 : 2),
    active: attention + dense + shared + routed(experts?.active ?? 0) + embedding,
  };
}

/** Elements of the KV cache that one token adds in one layer that sees everything. */
export function kvElementsPerLayer(model: Model): number {
  const { attention } = model;
  return attention.kind === "mla" ? attention.kvRank + attention.ropeDim : 2 * attention.kvHeads * attention.headDim;
}

function attentionOf(model: Model): number {
  const { attention, hidden } = model;
  if (attention.kind === "gqa") {
    const { heads, kvHeads, headDim } = attention;
    return 2 * hidden * heads * headDim + 2 * hidden * kvHeads * headDim;
  }
  const { heads, queryRank, kvRank, ropeDim, nopeDim, valueDim } = attention;
  const queryWidth = heads * (nopeDim + ropeDim);
  const queries = queryRank === null ? hidden * queryWidth : hidden * queryRank + queryRank * queryWidth;
  return queries + hidden * (kvRank + ropeDim) + kvRank * heads * (nopeDim + valueDim) + heads * valueDim * hidden;
}

/** Gated delta networks: queries and keys, values with their gates, and the way out. */
function linearOf(model: Model): number {
  const linear = model.linearAttention;
  if (linear === null) return 0;
  const keys = linear.keyHeads * linear.keyDim;
  const values = linear.valueHeads * linear.valueDim;
  return model.hidden * (2 * keys + 3 * values + 2 * linear.valueHeads);
}
