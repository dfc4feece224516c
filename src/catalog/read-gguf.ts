import { type ModelLabel, readHfConfig, type ReadModel } from "./read-config.ts";

/** What a GGUF header says: scalars by key, and of arrays only their length. */
export type GgufMetadata = ReadonlyMap<string, string | number | boolean | { readonly length: number }>;

const MAGIC = 0x46554747;
const STRING = 8;
const ARRAY = 9;
/** Bytes of each scalar type, by the format's number for it. */
const WIDTHS: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/** The header's metadata, or null when `bytes` are no GGUF of version 2 or 3, or end before the metadata do. */
export function parseGgufHeader(bytes: Uint8Array): GgufMetadata | null {
  const reader = new Reader(bytes);
  try {
    return reader.metadata();
  } catch (error) {
    // DataView's own check of its ends is the check for a header that is cut off.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

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

/** A place in the header. Owned by one call of `parseGgufHeader`. */
class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  metadata(): GgufMetadata | null {
    if (this.#u32() !== MAGIC) return null;
    const version = this.#u32();
    if (version !== 2 && version !== 3) return null;
    this.#u64();
    const entries = this.#u64();
    const found = new Map<string, string | number | boolean | { readonly length: number }>();
    for (let index = 0; index < entries; index += 1) {
      const key = this.#string();
      found.set(key, this.#value(this.#u32()));
    }
    return found;
  }

  #value(type: number): string | number | boolean | { readonly length: number } {
    if (type === STRING) return this.#string();
    if (type !== ARRAY) return this.#scalar(type);
    const element = this.#u32();
    const length = this.#u64();
    const width = WIDTHS[element];
    if (width !== undefined) this.#skip(width * length);
    else for (let index = 0; index < length; index += 1) this.#value(element);
    return { length };
  }

  #scalar(type: number): number | boolean {
    const width = WIDTHS[type];
    if (width === undefined) throw new RangeError(`GGUF has no type ${type}`);
    const at = this.#at;
    this.#skip(width);
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(at);
      case 1:
        return view.getInt8(at);
      case 2:
        return view.getUint16(at, true);
      case 3:
        return view.getInt16(at, true);
      case 4:
        return view.getUint32(at, true);
      case 5:
        return view.getInt32(at, true);
      case 6:
        return view.getFloat32(at, true);
      case 7:
        return view.getUint8(at) !== 0;
      case 12:
        return view.getFloat64(at, true);
      default:
        return Number(type === 11 ? view.getBigInt64(at, true) : view.getBigUint64(at, true));
    }
  }

  #string(): string {
    const length = this.#u64();
    const start = this.#at;
    this.#skip(length);
    let text = "";
    for (const byte of this.#bytes.subarray(start, this.#at)) text += String.fromCharCode(byte);
    return text;
  }

  #u32(): number {
    return this.#scalar(4) as number;
  }

  #u64(): number {
    return this.#scalar(10) as number;
  }

  #skip(count: number): void {
    if (this.#at + count > this.#bytes.length) throw new RangeError("the header ends too early");
    this.#at += count;
  }
}
