import { type ModelLabel, readHfConfig, type ReadModel } from "./read-config.ts";

/** What a GGUF head says: scalars by key, and of arrays only their length. */
export type GgufMetadata = ReadonlyMap<string, string | number | boolean | { readonly length: number }>;

/** Reads the dimensions of a decoder from GGUF metadata, by the names that llama.cpp gives them. */
export function readGguf(metadata: GgufMetadata, label: ModelLabel): ReadModel {
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string") return { problem: "its metadata name no `general.architecture`" };
  const of = (key: string): unknown => metadata.get(`${architecture}.${key}`);
  if (of("ssm.state_size") !== undefined)
    return { problem: "`ssm.state_size` names an architecture that the cost model does not describe" };
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const keyLength = of("attention.key_length_mla") ?? of("attention.key_length");
  const rope = of("rope.dimension_count");
  const latent = of("attention.kv_lora_rank");
  const config = {
    num_hidden_layers: of("block_count"),
    hidden_size: of("embedding_length"),
    vocab_size: of("vocab_size") ?? (typeof tokens === "object" ? tokens.length : undefined),
    max_position_embeddings: of("context_length"),
    num_attention_heads: of("attention.head_count"),
    num_key_value_heads: of("attention.head_count_kv"),
    head_dim: keyLength,
    intermediate_size: of("feed_forward_length"),
    num_experts: of("expert_count"),
    num_experts_per_tok: of("expert_used_count"),
    moe_intermediate_size: of("expert_feed_forward_length"),
    n_shared_experts: of("expert_shared_count"),
    first_k_dense_replace: of("leading_dense_block_count"),
    sliding_window: of("attention.sliding_window"),
    kv_lora_rank: latent,
    q_lora_rank: of("attention.q_lora_rank"),
    qk_rope_head_dim: latent === undefined ? undefined : rope,
    qk_nope_head_dim: typeof keyLength === "number" && typeof rope === "number" ? keyLength - rope : undefined,
    v_head_dim: of("attention.value_length_mla") ?? of("attention.value_length"),
    model_type: architecture,
  };
  return readHfConfig(config, label);
}
