import { MEMORY } from "./constants.ts";
import { type Deployment, kvShards } from "./deployment.ts";

/** Where the memory of all chips goes, and how many sequences it holds. */
export interface Capacity {
  readonly fits: boolean;
  /** Bytes missing over all chips, 0 where it fits. */
  readonly bytesShort: number;
  /** What does not fit, in words, or null. */
  readonly reason: string | null;
  readonly memoryBytes: number;
  /** What an engine may fill of it, after its own buffers. */
  readonly usableBytes: number;
  readonly weightBytes: number;
  /** KV cache of one sequence at the mean length, copies on several chips included. */
  readonly kvBytesPerSequence: number;
  /** Sequences of the mean length that fit at once. */
  readonly maxSequences: number;
}

/** Tokens of prompt and answer of the requests that are to be held. */
export interface Lengths {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Whether a deployment's weights and at least one whole request fit, and how many requests do on average. */
export function capacityOf(deployment: Deployment, lengths: Lengths): Capacity {
  const { chip, parallelism, model } = deployment.placement;
  const { chips } = deployment;
  const perChip = chip.memoryBytes ?? 0;
  const usableShare = chip.unifiedMemory ? MEMORY.usableUnified : MEMORY.usable;
  const runtime = Math.min(MEMORY.runtimeBytes, MEMORY.runtimeShare * perChip);
  const usable = usableShare * perChip - runtime - (chips > 1 ? MEMORY.collectiveBytes : 0);
  const weights = weightBytesPerChip(deployment);
  const copies = parallelism.tp / kvShards(model, parallelism.tp);
  const mean = kvBytes(deployment, lengths.inputTokens + lengths.outputTokens / 2) * copies;
  const longest = kvBytes(deployment, lengths.inputTokens + lengths.outputTokens) * copies;
  const free = (usable - weights) * chips;
  // A sequence lives in one of the dp ranks, so that is what it must fit into.
  const short = Math.max(0, (weights - usable) * chips, longest - free / parallelism.dp);
  const all = chips === 1 ? "the chip" : `${chips} chips`;
  return {
    fits: short <= 0,
    bytesShort: Math.ceil(short),
    reason:
      short <= 0
        ? null
        : free < 0
          ? `the weights do not fit into ${all}`
          : `no whole request fits beside the weights in ${all}`,
    memoryBytes: perChip * chips,
    usableBytes: usable * chips,
    weightBytes: weights * chips,
    kvBytesPerSequence: mean,
    maxSequences: short > 0 ? 0 : Math.max(1, Math.floor(free / mean)),
  };
}

function weightBytesPerChip(deployment: Deployment): number {
  const { parameters, placement } = deployment;
  const { model, precision, parallelism } = placement;
  const { tp, dp, pp } = parallelism;
  const tables = parameters.embedding * (model.tiedEmbeddings ? 1 : 2) * precision.embeddingBytes;
  const replicated =
    parameters.attention * precision.attentionWeightBytes +
    (parameters.dense + parameters.shared) * precision.weightBytes +
    tables;
  const experts = deployment.expertCount * parameters.expertLayers * parameters.expert * precision.weightBytes;
  return replicated / (tp * pp) + experts / (tp * dp * pp);
}

/** Bytes of one sequence's KV cache at this length, once. */
function kvBytes({ kv }: Deployment, tokens: number): number {
  return tokens * kv.fullBytes + Math.min(tokens, kv.windowTokens) * kv.windowBytes + kv.stateBytes;
}
