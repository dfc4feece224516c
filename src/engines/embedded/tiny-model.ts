/**
 * A tiny Llama-architecture model with random weights, so that everything can be tried on a bare machine with nothing to
 * download. It writes sentences of common English words that mean nothing, at the true cost of running a model of its size.
 *
 * Five dimensions of the hidden state are kept out of the layers' reach: the rows that would write to them are zero. The
 * embedding of a token sets them by its kind, so the output matrix can read there what came just before, and forbid or favour
 * what may come next: words inside a sentence, a stop, then a capitalised word or the end of the turn. The rest is chance.
 */
import { Chance } from "../../base/chance.ts";
import { type GgufTensor, type GgufValue, writeGgufFile } from "./gguf-writer.ts";
import {
  type TinyVocabulary,
  type TokenKind,
  TURN_END_TEXT,
  TURN_START_TEXT,
  tinyVocabulary,
} from "./tiny-vocabulary.ts";

/** The name the model carries in its metadata, so that nobody takes its output for an answer. */
export const TINY_MODEL_NAME = "baseload-tiny (random weights, for demonstration)";
/** The most tokens of prompt and answer together. */
export const TINY_MODEL_CONTEXT_TOKENS = 4096;

const HIDDEN = 128;
const FEED_FORWARD = 256;
const LAYERS = 3;
const HEADS = 4;
const KEY_VALUE_HEADS = 2;
const HEAD_SIZE = HIDDEN / HEADS;

/** The reserved dimensions: one always on, then one for each situation that a next token can be in. */
const ALWAYS = 0;
const INSIDE = 1;
const AFTER_STOP = 2;
const AT_START = 3;
const AFTER_COMMA = 4;
const RESERVED = 5;

/** What the reserved dimensions hold in the embedding, against a standard deviation of 0.5 in the others. */
const FLAG_VALUE = 4;
const EMBEDDING_DEVIATION = 0.5;
/**
 * About what a flag becomes once the last norm has scaled the hidden state: used to write weights as the logits they give.
 */
const FLAG_AFTER_NORM = 5;
/** The standard deviation of a word's weights; it gives logits a deviation near 2, so some 40 words are likely at a time. */
const WORD_DEVIATION = 0.24;
/**
 * How strongly the layers write to the hidden state. Small enough for the last token to decide most of what comes next; at
 * full strength the average over the context takes over, and the same few words come for ever.
 */
const LAYER_GAIN = 0.25;
const FORBIDDEN = -30;

/** How much of its own embedding a word's output row takes away, so that a word does not follow itself for ever. */
const AVERSION = 0.1;
/** The kinds whose odds depend on the situation alone. */
const STEADY_KINDS: ReadonlySet<TokenKind> = new Set(["comma", "stop", "question", "end"]);

/** Tokens by where they leave the sentence. */
const SITUATION_AFTER: Readonly<Record<TokenKind, number>> = {
  inner: INSIDE,
  spacedFirst: INSIDE,
  bareFirst: INSIDE,
  fragment: INSIDE,
  comma: AFTER_COMMA,
  stop: AFTER_STOP,
  question: AFTER_STOP,
  newline: AT_START,
  end: AT_START,
  control: AT_START,
};

/** The logit a kind starts from in each situation: [inside, after a stop, at the start, after a comma]. */
const LOGITS: Readonly<Record<TokenKind, readonly [number, number, number, number]>> = {
  inner: [0, FORBIDDEN, FORBIDDEN, 0],
  spacedFirst: [FORBIDDEN, 0, FORBIDDEN, FORBIDDEN],
  bareFirst: [FORBIDDEN, FORBIDDEN, 0, FORBIDDEN],
  comma: [2.6, FORBIDDEN, FORBIDDEN, FORBIDDEN],
  stop: [4.8, FORBIDDEN, FORBIDDEN, FORBIDDEN],
  question: [2.8, FORBIDDEN, FORBIDDEN, FORBIDDEN],
  end: [FORBIDDEN, 3.9, FORBIDDEN, FORBIDDEN],
  newline: [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN],
  fragment: [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN],
  control: [FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN],
};

/**
 * The chat template. Without tools it writes turns and nothing else; with them it tells of them and of their calls in the way of
 * Hermes, so that everything around tools can be tried. What the model says of its own accord is never a call.
 */
const CHAT_TEMPLATE = [
  "{{ bos_token }}",
  "{% if tools %}",
  `{{ '${TURN_START_TEXT}system\\nYou may call these functions:\\n<tools>' }}`,
  "{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}",
  '{{ \'\\n</tools>\\nCall one so: <tool_call>\\n{"name": NAME, "arguments": OBJECT}\\n</tool_call>\' }}',
  `{{ '${TURN_END_TEXT}\\n' }}`,
  "{% endif %}",
  "{% for message in messages %}",
  "{% if message.role == 'tool' %}",
  `{{ '${TURN_START_TEXT}user\\n<tool_response>\\n' + message.content + '\\n</tool_response>${TURN_END_TEXT}\\n' }}`,
  "{% elif message.tool_calls %}",
  `{{ '${TURN_START_TEXT}assistant\\n' + message.content }}`,
  "{% for call in message.tool_calls %}",
  '{{ \'<tool_call>\\n{"name": "\' + call.function.name + \'", "arguments": \' }}',
  "{{ (call.function.arguments | tojson) + '}\\n</tool_call>' }}",
  "{% endfor %}",
  `{{ '${TURN_END_TEXT}\\n' }}`,
  "{% else %}",
  `{{ '${TURN_START_TEXT}' + message['role'] + '\\n' + message['content'] + '${TURN_END_TEXT}\\n' }}`,
  "{% endif %}",
  "{% endfor %}",
  `{% if add_generation_prompt %}{{ '${TURN_START_TEXT}assistant\\n' }}{% endif %}`,
].join("");

/**
 * Writes the model, about 1.7 MB, to `path`. Equal calls write the same bytes. The file appears whole or not at all; throws
 * the file system's error.
 */
export function writeTinyModel(path: string, changes: TinyModelChanges = {}): void {
  const { chatTemplate, controlTokens = [] } = changes;
  const vocabulary = tinyVocabulary(controlTokens);
  const template: Record<string, GgufValue> =
    chatTemplate === undefined ? {} : { "tokenizer.chat_template": { type: "string", value: chatTemplate } };
  writeGgufFile(path, { metadata: { ...metadataOf(vocabulary), ...template }, tensors: tensorsOf(vocabulary) });
}

/** How a model differs from the usual one; for tests of what other models bring. */
export type TinyModelChanges = {
  /** A chat template instead of the model's own. */
  readonly chatTemplate?: string;
  /** Texts of control tokens besides the usual ones. */
  readonly controlTokens?: readonly string[];
};

function metadataOf(vocabulary: TinyVocabulary): Record<string, GgufValue> {
  const text = (value: string): GgufValue => ({ type: "string", value });
  const count = (value: number): GgufValue => ({ type: "uint32", value });
  return {
    "general.architecture": text("llama"),
    "general.name": text(TINY_MODEL_NAME),
    "general.description": text(
      "Random weights: it writes common words without meaning, to try out the machinery around a model.",
    ),
    "general.license": text("Apache-2.0"),
    "general.file_type": count(1),
    "llama.context_length": count(TINY_MODEL_CONTEXT_TOKENS),
    "llama.embedding_length": count(HIDDEN),
    "llama.block_count": count(LAYERS),
    "llama.feed_forward_length": count(FEED_FORWARD),
    "llama.attention.head_count": count(HEADS),
    "llama.attention.head_count_kv": count(KEY_VALUE_HEADS),
    "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-5 },
    "llama.rope.dimension_count": count(HEAD_SIZE),
    "llama.rope.freq_base": { type: "float32", value: 10000 },
    "llama.vocab_size": count(vocabulary.tokens.length),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text("gpt-2"),
    "tokenizer.ggml.tokens": { type: "array", of: "string", values: vocabulary.tokens.map((token) => token.text) },
    "tokenizer.ggml.token_type": {
      type: "array",
      of: "int32",
      values: vocabulary.tokens.map((token) => tokenType(token.kind)),
    },
    "tokenizer.ggml.merges": { type: "array", of: "string", values: vocabulary.merges },
    "tokenizer.ggml.bos_token_id": count(vocabulary.beginId),
    "tokenizer.ggml.eos_token_id": count(vocabulary.turnEndId),
    "tokenizer.ggml.eot_token_id": count(vocabulary.turnEndId),
    "tokenizer.ggml.add_bos_token": { type: "bool", value: true },
    "tokenizer.ggml.add_eos_token": { type: "bool", value: false },
    "tokenizer.chat_template": text(CHAT_TEMPLATE),
  };
}

/** The format's own numbers: 3 for control tokens, which are never text, and 1 for all others. */
function tokenType(kind: TokenKind): number {
  return kind === "control" || kind === "end" ? 3 : 1;
}

function tensorsOf(vocabulary: TinyVocabulary): GgufTensor[] {
  const embedded = embedding(vocabulary);
  const tensors = [embedded, output(vocabulary, embedded), ones("output_norm.weight")];
  for (let layer = 0; layer < LAYERS; layer++) tensors.push(...layerTensors(layer));
  return tensors;
}

function embedding(vocabulary: TinyVocabulary): GgufTensor {
  const name = "token_embd.weight";
  const data = drawn(name, { rows: vocabulary.tokens.length, columns: HIDDEN, deviation: EMBEDDING_DEVIATION });
  vocabulary.tokens.forEach((token, id) => {
    data.fill(0, id * HIDDEN, id * HIDDEN + RESERVED);
    data[id * HIDDEN + ALWAYS] = FLAG_VALUE;
    data[id * HIDDEN + SITUATION_AFTER[token.kind]] = FLAG_VALUE;
  });
  return { name, shape: [HIDDEN, vocabulary.tokens.length], type: "f16", data };
}

function output(vocabulary: TinyVocabulary, embedded: GgufTensor): GgufTensor {
  const name = "output.weight";
  const data = drawn(name, { rows: vocabulary.tokens.length, columns: HIDDEN, deviation: WORD_DEVIATION });
  vocabulary.tokens.forEach((token, id) => {
    const row = id * HIDDEN;
    data.fill(0, row, row + RESERVED);
    // Ends must keep their odds whatever was said, or some prompts would never be answered in full.
    if (STEADY_KINDS.has(token.kind)) data.fill(0, row, row + HIDDEN);
    else
      for (let column = RESERVED; column < HIDDEN; column++)
        data[row + column] = (data[row + column] ?? 0) - AVERSION * (embedded.data[row + column] ?? 0);
    const [inside, afterStop, atStart, afterComma] = LOGITS[token.kind];
    data[row + INSIDE] = inside / FLAG_AFTER_NORM;
    data[row + AFTER_STOP] = afterStop / FLAG_AFTER_NORM;
    data[row + AT_START] = atStart / FLAG_AFTER_NORM;
    data[row + AFTER_COMMA] = afterComma / FLAG_AFTER_NORM;
    if (token.kind === "fragment" || token.kind === "control") data[row + ALWAYS] = FORBIDDEN / FLAG_AFTER_NORM;
  });
  return { name, shape: [HIDDEN, vocabulary.tokens.length], type: "f16", data };
}

function layerTensors(layer: number): GgufTensor[] {
  const keyValueSize = KEY_VALUE_HEADS * HEAD_SIZE;
  const matrix = (part: string, of: { columns: number; rows: number; gain?: number }): GgufTensor => {
    const { columns, rows, gain = 1 } = of;
    const name = `blk.${layer}.${part}.weight`;
    return {
      name,
      shape: [columns, rows],
      type: "f16",
      data: drawn(name, { rows, columns, deviation: gain / Math.sqrt(columns) }),
    };
  };
  /** A matrix that writes to the hidden state, with nothing for the reserved dimensions. */
  const writer = (part: string, columns: number): GgufTensor => {
    const tensor = matrix(part, { columns, rows: HIDDEN, gain: LAYER_GAIN });
    tensor.data.fill(0, 0, RESERVED * columns);
    return tensor;
  };
  return [
    ones(`blk.${layer}.attn_norm.weight`),
    matrix("attn_q", { columns: HIDDEN, rows: HIDDEN }),
    matrix("attn_k", { columns: HIDDEN, rows: keyValueSize }),
    matrix("attn_v", { columns: HIDDEN, rows: keyValueSize }),
    writer("attn_output", HIDDEN),
    ones(`blk.${layer}.ffn_norm.weight`),
    matrix("ffn_gate", { columns: HIDDEN, rows: FEED_FORWARD }),
    matrix("ffn_up", { columns: HIDDEN, rows: FEED_FORWARD }),
    writer("ffn_down", FEED_FORWARD),
  ];
}

function ones(name: string): GgufTensor {
  return { name, shape: [HIDDEN], type: "f32", data: new Float32Array(HIDDEN).fill(1) };
}

/** Bell-shaped draws as a sum of four uniform ones: plain additions, so that every machine gets the same bits. */
function drawn(purpose: string, matrix: { rows: number; columns: number; deviation: number }): Float32Array {
  const chance = new Chance(TINY_MODEL_NAME, purpose);
  const data = new Float32Array(matrix.rows * matrix.columns);
  const scale = matrix.deviation * Math.sqrt(3);
  for (let index = 0; index < data.length; index++) {
    const sum = chance.next() + chance.next() + chance.next() + chance.next();
    data[index] = (sum / 2 ** 32 - 2) * scale;
  }
  return data;
}
