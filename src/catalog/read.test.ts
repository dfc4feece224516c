import assert from "node:assert/strict";
import { test } from "node:test";
import { countParameters } from "./parameters.ts";
import { readHfConfig } from "./read-config.ts";
import { readGguf } from "./read-gguf.ts";
import type { Model } from "./types.ts";

const LABEL = { id: "mine", source: "config.json", date: "2026-11-23" };

const LATENT = {
  model_type: "deepseek_v3",
  num_hidden_layers: 61,
  hidden_size: 7168,
  num_attention_heads: 128,
  intermediate_size: 18_432,
  vocab_size: 129_280,
  max_position_embeddings: 163_840,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  moe_intermediate_size: 2048,
  first_k_dense_replace: 3,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
};

function read(config: unknown): Model {
  const result = readHfConfig(config, LABEL);
  assert.ok("model" in result, JSON.stringify(result));
  return result.model;
}

test("latent attention, shared and routed experts and dense first layers are read", () => {
  const model = read(LATENT);
  assert.equal(model.attention.kind, "mla");
  assert.equal(model.ffn.denseLayers, 3);
  assert.ok(Math.abs(countParameters(model).total / 671e9 - 1) < 0.01);
});

test("a configuration inside text_config, with linear and sliding layers, is read", () => {
  const text_config = {
    num_hidden_layers: 4,
    hidden_size: 64,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    intermediate_size: 128,
    vocab_size: 100,
    max_position_embeddings: 4096,
    sliding_window: 128,
    layer_types: ["linear_attention", "sliding_attention", "sliding_attention", "full_attention"],
    linear_num_key_heads: 2,
    linear_num_value_heads: 4,
    linear_key_head_dim: 16,
    linear_value_head_dim: 16,
  };
  const model = read({ text_config, tie_word_embeddings: true });
  assert.equal(model.linearAttention?.layers, 1);
  assert.deepEqual(model.attention, {
    kind: "gqa",
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    windowTokens: 128,
    windowLayers: 2,
  });
  assert.equal(model.tiedEmbeddings, true);
});

test("an architecture that the cost model does not describe is refused by name", () => {
  const result = readHfConfig({ ...LATENT, hybrid_override_pattern: "M-M*" }, LABEL);
  assert.ok("problem" in result && result.problem.includes("hybrid_override_pattern"));
});

test("GGUF metadata give the same dimensions, by the architecture's own keys", () => {
  const metadata = new Map<string, string | number | { readonly length: number }>([
    ["general.architecture", "llama"],
    ["llama.block_count", 32],
    ["llama.embedding_length", 4096],
    ["llama.attention.head_count", 32],
    ["llama.attention.head_count_kv", 8],
    ["llama.feed_forward_length", 14_336],
    ["llama.context_length", 131_072],
    ["tokenizer.ggml.tokens", { length: 128_256 }],
  ]);
  const result = readGguf(metadata, LABEL);
  assert.ok("model" in result, JSON.stringify(result));
  assert.equal(result.model.vocab, 128_256);
  assert.equal(Math.round(countParameters(result.model).total / 1e7), 803);
  metadata.delete("general.architecture");
  assert.ok("problem" in readGguf(metadata, LABEL));
});
