/** What a GGUF file says of its model, and what running it will take of memory. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { GgufError, type GgufHead, type GgufRead, readGgufHead } from "./gguf-reader.ts";

/** A model by its file's own words; null where the file does not say. */
export type ModelInfo = {
  readonly name: string | null;
  readonly architecture: string;
  /** How most of the weights are stored, such as `Q4_K_M`; `unknown (N)` for a number that is newer than this. */
  readonly fileType: string | null;
  readonly fileBytes: number;
  readonly parameterCount: number;
  /** Tokens that the model was trained to take in at once. */
  readonly trainedContextTokens: number | null;
  readonly layers: number | null;
  readonly heads: number | null;
  /** Of the layer that has most. */
  readonly keyValueHeads: number | null;
  readonly embeddingLength: number | null;
  readonly vocabularySize: number | null;
  /** The kind of tokenizer, such as `gpt2`. */
  readonly tokenizer: string | null;
  readonly chatTemplate: string | null;
  /** How token vectors become one: `none`, `mean`, `cls`, `last` or `rank`. */
  readonly pooling: string | null;
  /** Bytes of keys and values that one token takes in all layers, at 16 bits a number; null if the file does not tell. */
  readonly keyValueBytesPerToken: number | null;
};

const POOLINGS = ["none", "mean", "cls", "last", "rank"];
/** llama.cpp's numbers for `general.file_type`. */
const FILE_TYPES: Readonly<Record<number, string>> = {
  ...Object.fromEntries("F32 F16 Q4_0 Q4_1".split(" ").map((name, index) => [index, name])),
  ...Object.fromEntries(
    "Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ2_XXS IQ2_XS Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M BF16"
      .split(" ")
      .map((name, index) => [index + 7, name]),
  ),
  36: "TQ1_0",
  37: "TQ2_0",
  38: "MXFP4",
  39: "NVFP4",
};

/** The head is read in parts: first this much, then twice as much, while it is not complete. */
const FIRST_BYTES = 1024 * 1024;
/** The largest vocabularies take some tens of megabytes. */
const HEAD_BYTES_MAX = 256 * 1024 * 1024;

/** Reads what the file at `path` says. Throws `GgufError`, or the file system's error. */
export function readModelInfo(path: string): ModelInfo {
  const { head, fileBytes } = readHeadOf(path);
  return modelInfoOf(head, fileBytes);
}

/** Reads the head of the file at `path`; a later part of a split model has one that names no architecture. Throws like the above. */
export function readHeadOf(path: string): { readonly head: GgufHead; readonly fileBytes: number } {
  const file = openSync(path, "r");
  try {
    const fileBytes = fstatSync(file).size;
    for (let size = FIRST_BYTES; ; size *= 2) {
      const wanted = Math.min(size, fileBytes);
      const bytes = Buffer.alloc(wanted);
      const got = readSync(file, bytes, 0, wanted, 0);
      try {
        return { head: readGgufHead(bytes.subarray(0, got)), fileBytes };
      } catch (error) {
        const isEnd = got < size || size >= HEAD_BYTES_MAX;
        if (!(error instanceof GgufError) || !error.isTruncated || isEnd) throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** What a head means. Throws `GgufError` where it names no architecture. */
export function modelInfoOf(head: GgufHead, fileBytes: number): ModelInfo {
  const architecture = textOf(head, "general.architecture");
  if (architecture === null) throw new GgufError("it does not say of which architecture it is");
  const own = (key: string): number | null => numberOf(head, `${architecture}.${key}`);
  const fileType = numberOf(head, "general.file_type");
  const tokens = head.metadata.get("tokenizer.ggml.tokens");
  const pooling = own("pooling_type");
  return {
    name: textOf(head, "general.name"),
    architecture,
    fileType: fileType === null ? null : (FILE_TYPES[fileType] ?? `unknown (${fileType})`),
    fileBytes,
    parameterCount: head.parameterCount,
    trainedContextTokens: own("context_length"),
    layers: own("block_count"),
    heads: own("attention.head_count"),
    keyValueHeads: own("attention.head_count_kv") ?? own("attention.head_count"),
    embeddingLength: own("embedding_length"),
    vocabularySize: tokens?.kind === "array" ? tokens.length : own("vocab_size"),
    tokenizer: textOf(head, "tokenizer.ggml.model"),
    chatTemplate: textOf(head, "tokenizer.chat_template"),
    pooling: pooling === null ? null : (POOLINGS[pooling] ?? null),
    keyValueBytesPerToken: keyValueBytes(head, own),
  };
}

/** What /v1/models shows of a model, in the manner of OpenAI's fields. */
export function modelMeta(info: Omit<ModelInfo, "chatTemplate">): Readonly<Record<string, string | number | null>> {
  return {
    architecture: info.architecture,
    file_type: info.fileType,
    file_bytes: info.fileBytes,
    parameter_count: info.parameterCount,
    trained_context_tokens: info.trainedContextTokens,
    layers: info.layers,
    heads: info.heads,
    key_value_heads: info.keyValueHeads,
    embedding_length: info.embeddingLength,
    vocabulary_size: info.vocabularySize,
    tokenizer: info.tokenizer,
    pooling: info.pooling,
  };
}

/** Without a wish, no more context than this: memory for it is taken at the start, once per sequence. */
const CONTEXT_TOKENS_DEFAULT_MAX = 4096;

/** The context that a model is run with where nobody says another. */
export function contextTokensOf({ trainedContextTokens }: Pick<ModelInfo, "trainedContextTokens">): number {
  return Math.min(trainedContextTokens ?? CONTEXT_TOKENS_DEFAULT_MAX, CONTEXT_TOKENS_DEFAULT_MAX);
}

/**
 * An estimate of the memory that a loaded model takes: the file, and keys and values for every token of every sequence. Buffers
 * of the computation, some tens to hundreds of megabytes, are not in it. Where the file does not tell, it is the file alone.
 */
export function estimatedBytes(
  info: ModelInfo,
  run: { readonly sequences: number; readonly contextTokens: number },
): number {
  return info.fileBytes + (info.keyValueBytesPerToken ?? 0) * run.sequences * run.contextTokens;
}

function keyValueBytes(head: GgufHead, own: (key: string) => number | null): number | null {
  const architecture = textOf(head, "general.architecture") ?? "";
  const [layers, heads, width] = [own("block_count"), own("attention.head_count"), own("embedding_length")];
  if (layers === null || heads === null || width === null || heads === 0) return null;
  const headSize = Math.floor(width / heads);
  const perHead = (own("attention.key_length") ?? headSize) + (own("attention.value_length") ?? headSize);
  const each = head.metadata.get(`${architecture}.attention.head_count_kv`);
  const keyValueHeads =
    each?.kind === "array"
      ? each.first.reduce((sum, value) => sum + Number(value.kind === "number" ? value.value : 0), 0)
      : layers * (own("attention.head_count_kv") ?? heads);
  return keyValueHeads * perHead * 2;
}

function textOf(head: GgufHead, key: string): string | null {
  const value = head.metadata.get(key);
  return value?.kind === "string" ? value.value : null;
}

/** A number, or the largest of an array of one a layer; null if it is neither, or below zero. */
function numberOf(head: GgufHead, key: string): number | null {
  const value = head.metadata.get(key);
  if (value === undefined) return null;
  const values: readonly GgufRead[] = value.kind === "array" ? value.first : [value];
  const numbers = values.flatMap((each) => (each.kind === "number" ? [Number(each.value)] : []));
  const largest = numbers.length === 0 ? Number.NaN : Math.max(...numbers);
  return Number.isSafeInteger(largest) && largest >= 0 ? largest : null;
}
