import type { Experts, GroupedAttention, LatentAttention, LinearAttention, Model } from "./types.ts";

/** A model that was read, or what is wrong with its description, in words. */
export type ReadModel = { readonly model: Model } | { readonly problem: string };

/** What a file says of a model besides its dimensions. */
export interface ModelLabel {
  readonly id: string;
  /** Where the file is from, for the record. */
  readonly source: string;
  readonly date: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Architectures whose cost these dimensions do not describe: state-space layers and compressed caches. */
const FOREIGN = [
  "ssm_cfg",
  "mamba_d_state",
  "mamba_num_heads",
  "hybrid_override_pattern",
  "compress_ratios",
  "state_size",
];

const ACTIVE_KEYS = ["num_experts_per_tok", "num_experts_per_token", "moe_topk"];
const COUNT_KEYS = ["n_routed_experts", "num_local_experts", "num_experts"];
/** Feed-forward networks of two matrices; every other architecture read here has a gate. */
const UNGATED = new Set(["gpt2", "gptj", "gpt_neox", "bloom", "falcon", "opt", "phi"]);

class Missing extends Error {}

/** Reads the dimensions of a decoder from its Hugging Face `config.json`, parsed. */
export function readHfConfig(config: unknown, label: ModelLabel): ReadModel {
  if (!isFields(config)) return { problem: "it is not a JSON object" };
  const text = config["text_config"];
  const fields = isFields(text) ? { ...config, ...text } : config;
  const foreign = FOREIGN.find((key) => fields[key] !== undefined && fields[key] !== null);
  if (foreign !== undefined)
    return { problem: `\`${foreign}\` names an architecture that the cost model does not describe` };
  try {
    return { model: modelOf(fields, label) };
  } catch (error) {
    if (error instanceof Missing) return { problem: error.message };
    throw error;
  }
}

function modelOf(fields: Fields, label: ModelLabel): Model {
  const layers = need(fields, ["num_hidden_layers", "n_layer", "num_layers"]);
  const hidden = need(fields, ["hidden_size", "n_embd", "d_model"]);
  const types = layerTypes(fields);
  const linear = linearOf(fields, types);
  const experts = expertsOf(fields);
  return {
    id: label.id,
    name: label.id,
    aliases: [],
    source: label.source,
    date: label.date,
    confidence: "user",
    layers,
    hidden,
    vocab: need(fields, ["vocab_size"]),
    contextTokens: need(fields, ["max_position_embeddings", "n_positions", "seq_length"]),
    tiedEmbeddings: fields["tie_word_embeddings"] === true,
    attention: attentionOf(fields, { layers, hidden, types }),
    linearAttention: linear,
    ffn: {
      intermediate:
        number(fields, ["intermediate_size", "n_inner", "ffn_hidden_size"]) ?? (experts === null ? 4 * hidden : 0),
      gated: !UNGATED.has(String(fields["model_type"])),
      denseLayers: experts === null ? layers : denseLayersOf(fields, layers),
    },
    experts,
    mtpLayers: number(fields, ["num_nextn_predict_layers", "mtp_num_hidden_layers"]) ?? 0,
    nativePrecision: "bf16",
    publishedParameters: null,
    publishedActiveParameters: null,
  };
}

interface Shape {
  readonly layers: number;
  readonly hidden: number;
  readonly types: readonly string[] | null;
}

function attentionOf(fields: Fields, { layers, hidden, types }: Shape): GroupedAttention | LatentAttention {
  const heads = need(fields, ["num_attention_heads", "n_head"]);
  const kvRank = number(fields, ["kv_lora_rank"]);
  if (kvRank !== null) {
    return {
      kind: "mla",
      heads,
      queryRank: number(fields, ["q_lora_rank"]),
      kvRank,
      ropeDim: need(fields, ["qk_rope_head_dim"]),
      nopeDim: need(fields, ["qk_nope_head_dim"]),
      valueDim: need(fields, ["v_head_dim"]),
    };
  }
  const window = fields["use_sliding_window"] === false ? null : number(fields, ["sliding_window"]);
  const windowLayers = window === null ? 0 : windowLayersOf(fields, layers, types);
  return {
    kind: "gqa",
    heads,
    kvHeads: number(fields, ["num_key_value_heads", "num_kv_heads"]) ?? heads,
    headDim: number(fields, ["head_dim"]) ?? hidden / heads,
    windowTokens: windowLayers === 0 ? null : window,
    windowLayers,
  };
}

function windowLayersOf(fields: Fields, layers: number, types: readonly string[] | null): number {
  if (types !== null) return types.filter((type) => type === "sliding_attention").length;
  const pattern = number(fields, ["sliding_window_pattern", "_sliding_window_pattern"]);
  return pattern === null ? layers : layers - Math.floor(layers / pattern);
}

function expertsOf(fields: Fields): Experts | null {
  const count = number(fields, COUNT_KEYS);
  if (count === null || count <= 1) return null;
  const intermediate = need(fields, ["moe_intermediate_size", "expert_intermediate_size", "intermediate_size"]);
  const shared = number(fields, ["n_shared_experts"]);
  return {
    count,
    active: need(fields, ACTIVE_KEYS),
    intermediate,
    sharedIntermediate:
      number(fields, ["shared_expert_intermediate_size", "shared_intermediate_size"]) ?? (shared ?? 0) * intermediate,
  };
}

function denseLayersOf(fields: Fields, layers: number): number {
  const first = number(fields, ["first_k_dense_replace"]);
  if (first !== null) return first;
  const only = fields["mlp_only_layers"];
  if (Array.isArray(only) && only.length > 0) return only.length;
  const every = number(fields, ["interleave_moe_layer_step", "decoder_sparse_step"]) ?? 1;
  return layers - Math.floor(layers / Math.max(1, every));
}

function linearOf(fields: Fields, types: readonly string[] | null): LinearAttention | null {
  const layers = types?.filter((type) => type === "linear_attention").length ?? 0;
  if (layers === 0) return null;
  return {
    layers,
    keyHeads: need(fields, ["linear_num_key_heads"]),
    valueHeads: need(fields, ["linear_num_value_heads"]),
    keyDim: need(fields, ["linear_key_head_dim"]),
    valueDim: need(fields, ["linear_value_head_dim"]),
  };
}

function layerTypes(fields: Fields): readonly string[] | null {
  const types = fields["layer_types"];
  return Array.isArray(types) ? types.map(String) : null;
}

/** The first of these keys that holds a positive number, or null. */
function number(fields: Fields, keys: readonly string[]): number | null {
  for (const key of keys) {
    const value = fields[key];
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  }
  return null;
}

function need(fields: Fields, keys: readonly string[]): number {
  const value = number(fields, keys);
  if (value === null) throw new Missing(`it has no positive number \`${keys[0]}\``);
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
