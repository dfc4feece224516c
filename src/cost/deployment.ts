import type { Chip } from "../catalog/machine.ts";
import { countParameters, kvElementsPerLayer, type Parameters } from "../catalog/parameters.ts";
import type { ComputeFormat, Model, Precision } from "../catalog/types.ts";
import { CONSTANTS } from "./constants.ts";

/** Engines whose host time is known; others count as the first. */
export type EngineName = keyof typeof CONSTANTS.engineS;

/** How a model is spread: tp × pp × dp chips. `dp` replicates attention; experts are spread over tp × dp. */
export interface Parallelism {
  readonly tp: number;
  readonly pp: number;
  readonly dp: number;
}

/** What is asked about: a model at a precision on chips. */
export interface Placement {
  readonly model: Model;
  readonly precision: Precision;
  readonly chip: Chip;
  readonly parallelism: Parallelism;
  readonly engine: EngineName;
}

/**
 * A placement as the coefficients of one step, so that a step costs a few dozen multiplications. Seconds are of one chip of one stage;
 * a coefficient `…PerToken` is multiplied with tokens.
 */
export interface Deployment {
  readonly placement: Placement;
  readonly parameters: Parameters;
  readonly chips: number;
  readonly attention: Roof;
  readonly dense: Roof;
  readonly head: Roof;
  /** Weight seconds are of one expert of each layer, compute seconds of one token. */
  readonly experts: Roof;
  readonly expertCount: number;
  /** Share of the experts that a token does not touch. */
  readonly untouchedPerToken: number;
  readonly kv: Kv;
  readonly prefillPairS: number;
  readonly network: { readonly latencyS: number; readonly perTokenS: number };
  readonly overheadS: number;
  /** Peak FLOP/s × efficiency ÷ peak, to turn compute seconds back into utilisation. */
  readonly computeEfficiency: number;
  /** What no measurement or figure stands behind, in words. */
  readonly extrapolated: readonly string[];
}

/** One multiplication: seconds to stream its weights, and to compute one token; bytes of its weights, over all chips. */
export interface Roof {
  readonly weightS: number;
  readonly computeS: number;
  readonly bytes: number;
}

/** Reading the KV cache, per token of context of one sequence. */
export interface Kv {
  readonly fullS: number;
  readonly windowS: number;
  readonly windowTokens: number;
  /** Fixed state, per sequence. */
  readonly stateS: number;
  readonly computeS: number;
  readonly fullBytes: number;
  readonly windowBytes: number;
  readonly stateBytes: number;
}

/** A deployment, or why nothing can be said of it. */
export type Compiled = { readonly deployment: Deployment } | { readonly unknown: string };

const ACTIVATION_BYTES = 2;
const STATE_BYTES = 4;
const SMALL_GROUP_LOG2 = 3;

/** Works out a placement's coefficients. */
export function compile(placement: Placement): Compiled {
  const { chip, model, precision } = placement;
  if (chip.bandwidthBytesPerS === null) return { unknown: `the memory bandwidth of ${chip.id}` };
  if (chip.memoryBytes === null) return { unknown: `the memory of ${chip.id}` };
  const extrapolated: string[] = [];
  const rates = ratesOf(placement, extrapolated);
  if (rates === null) return { unknown: `the 16-bit FLOP/s of ${chip.id}` };
  const parameters = countParameters(model);
  const { tp, dp, pp } = placement.parallelism;
  const group = tp * dp;
  const roof = (
    weights: number,
    part: { readonly bytes: number; readonly chips: number; readonly of16?: boolean },
  ): Roof => {
    const flops = part.of16 === true ? rates.flops16 * CONSTANTS.compute.bf16 : rates.flops;
    return {
      weightS: (weights * part.bytes) / (part.chips * rates.weightBytesPerS),
      computeS: (2 * weights) / (part.chips * flops),
      bytes: weights * part.bytes,
    };
  };
  const experts = parameters.expertLayers * parameters.expert;
  const active = model.experts?.active ?? 0;
  const expertRoof = roof(experts, { bytes: precision.weightBytes, chips: group });
  return {
    deployment: {
      placement,
      parameters,
      chips: tp * dp * pp,
      attention: roof(parameters.attention, { bytes: precision.attentionWeightBytes, chips: tp }),
      dense: roof(parameters.dense + parameters.shared, { bytes: precision.weightBytes, chips: tp }),
      head: roof(parameters.head, { bytes: precision.embeddingBytes, chips: tp, of16: true }),
      experts: { ...expertRoof, computeS: expertRoof.computeS * active * (group > 1 ? CONSTANTS.expertImbalance : 1) },
      expertCount: model.experts?.count ?? 0,
      untouchedPerToken: 1 - active / (model.experts?.count ?? 1),
      kv: kvOf(placement, rates),
      prefillPairS: prefillFlops(model) / (tp * CONSTANTS.prefillAttention * rates.flops16),
      network: networkOf(placement, extrapolated),
      overheadS: overheadOf(placement, parameters.expertLayers),
      computeEfficiency: rates.efficiency,
      extrapolated,
    },
  };
}

interface Rates {
  readonly weightBytesPerS: number;
  readonly bytesPerS: number;
  /** Peak × efficiency in the format that is computed in. */
  readonly flops: number;
  /** Peak at 16 bit. */
  readonly flops16: number;
  readonly efficiency: number;
}

function ratesOf({ chip, precision }: Placement, extrapolated: string[]): Rates | null {
  const peaks: Readonly<Record<ComputeFormat, number | null>> = {
    bf16: chip.bf16Flops,
    fp8: chip.fp8Flops,
    fp4: chip.fp4Flops,
    int8: chip.int8Ops,
  };
  // Each halving of the width doubles the rate on every chip that has both formats.
  const flops16 =
    peaks.bf16 ?? (peaks.fp8 === null ? null : peaks.fp8 / 2) ?? (peaks.fp4 === null ? null : peaks.fp4 / 4);
  if (flops16 === null || chip.bandwidthBytesPerS === null) return null;
  if (peaks.bf16 === null) extrapolated.push(`16-bit FLOP/s of ${chip.id} from a narrower format's`);
  const format = peaks[precision.compute] === null ? "bf16" : precision.compute;
  if (format !== precision.compute)
    extrapolated.push(`${chip.id} has no known ${precision.compute} rate: computed at 16 bit`);
  const scale = chip.vendor === "AMD" ? CONSTANTS.amd : 1;
  if (!FITTED.has(chip.vendor))
    extrapolated.push(`efficiencies, fitted to NVIDIA and AMD data-centre chips, on ${chip.vendor}`);
  if (chip.unifiedMemory)
    extrapolated.push("efficiencies, fitted to data-centre chips, on a machine with unified memory");
  if (precision.compute === "bf16") extrapolated.push("16-bit efficiencies, from kernels and not from serving");
  const peak = (peaks[format] ?? flops16) * scale;
  const bytesPerS = chip.bandwidthBytesPerS * scale;
  const efficiency = CONSTANTS.compute[format];
  return {
    weightBytesPerS: bytesPerS * CONSTANTS.weightBandwidth[precision.compute],
    bytesPerS,
    flops: peak * efficiency,
    flops16: flops16 * scale,
    efficiency,
  };
}

const FITTED = new Set(["NVIDIA", "AMD"]);

function kvOf({ model, precision, parallelism }: Placement, rates: Rates): Kv {
  const { attention, linearAttention, layers } = model;
  const linearLayers = linearAttention?.layers ?? 0;
  const windowLayers = attention.kind === "gqa" ? attention.windowLayers : 0;
  const fullLayers = layers - linearLayers - windowLayers;
  const layerBytes = kvElementsPerLayer(model) * precision.kvBytes;
  const bytesPerS = rates.bytesPerS * CONSTANTS.kvBandwidth;
  const shards = kvShards(model, parallelism.tp);
  const state =
    linearAttention === null ? 0 : linearAttention.valueHeads * linearAttention.keyDim * linearAttention.valueDim;
  const stateBytes = linearLayers * state * STATE_BYTES;
  return {
    fullS: (fullLayers * layerBytes) / (shards * bytesPerS),
    windowS: (windowLayers * layerBytes) / (shards * bytesPerS),
    windowTokens: attention.kind === "gqa" ? (attention.windowTokens ?? 0) : 0,
    // The state is read and written back.
    stateS: (2 * stateBytes) / (parallelism.tp * bytesPerS),
    computeS: decodeFlops(model) / (parallelism.tp * CONSTANTS.decodeAttention * rates.flops16),
    fullBytes: fullLayers * layerBytes,
    windowBytes: windowLayers * layerBytes,
    stateBytes,
  };
}

/** Over how many chips of one tp group a sequence's cache is spread: a latent cache is whole on each, heads are dealt out. */
export function kvShards(model: Model, tp: number): number {
  return model.attention.kind === "mla" ? 1 : Math.min(tp, model.attention.kvHeads);
}

/** FLOP of attention in decode, per token of context, over the layers that see everything. */
function decodeFlops(model: Model): number {
  const { attention } = model;
  const layers = model.layers - (model.linearAttention?.layers ?? 0);
  if (attention.kind === "mla") return layers * 2 * attention.heads * (2 * attention.kvRank + attention.ropeDim);
  return (layers - attention.windowLayers) * 4 * attention.heads * attention.headDim;
}

/** FLOP of attention in prefill, per pair of tokens. */
function prefillFlops(model: Model): number {
  const { attention } = model;
  const layers = model.layers - (model.linearAttention?.layers ?? 0);
  if (attention.kind === "mla")
    return layers * 2 * attention.heads * (attention.nopeDim + attention.ropeDim + attention.valueDim);
  return (layers - attention.windowLayers) * 4 * attention.heads * attention.headDim;
}

/**
 * Two collectives a layer. After attention, and where attention is not replicated after the feed-forward network too, an all-reduce over
 * tp chips; replicated attention (dp) with experts sends each token to its experts' chips and back instead.
 */
function networkOf({ model, chip, parallelism }: Placement, extrapolated: string[]): Deployment["network"] {
  const { tp, dp, pp } = parallelism;
  const isSpread = model.experts !== null && dp > 1;
  const widest = isSpread ? tp * dp : tp;
  const link = chip.scaleUpBytesPerS ?? CONSTANTS.unknownLinkBytesPerS;
  const bytesPerS = (chips: number): number =>
    (chips <= chip.scaleUpDomain ? link : Math.min(link, CONSTANTS.scaleOutBytesPerS)) * CONSTANTS.network;
  const latencyS = (chips: number): number =>
    chips === 1 ? 0 : CONSTANTS.collectiveS * Math.max(1, Math.log2(chips) / SMALL_GROUP_LOG2);
  if (widest > 1 && chip.scaleUpBytesPerS === null)
    extrapolated.push(`the interconnect of ${chip.id}, unknown: taken as PCIe`);
  if (widest > chip.scaleUpDomain) extrapolated.push(`collectives over ${widest} chips, beyond the scale-up domain`);
  const reduced = ((2 * (tp - 1)) / tp) * model.hidden * ACTIVATION_BYTES;
  const reduceS = reduced / (bytesPerS(tp) * dp);
  // A chip sends its share of the tokens to their experts, in 8 bit, and gets 16 bit back.
  const copies = Math.min(model.experts?.active ?? 0, widest - 1);
  const sent = (copies * model.hidden * (1 + ACTIVATION_BYTES)) / widest;
  return {
    latencyS: model.layers * (latencyS(tp) + latencyS(widest)) + (pp - 1) * CONSTANTS.collectiveS,
    perTokenS: model.layers * (reduceS + (isSpread ? sent / bytesPerS(widest) : reduceS)),
  };
}

function overheadOf({ model, chip, engine }: Placement, expertLayers: number): number {
  const layerS = CONSTANTS.layerS / (chip.vendor === "AMD" ? CONSTANTS.amd : 1);
  return model.layers * layerS + expertLayers * CONSTANTS.expertLayerS + CONSTANTS.engineS[engine];
}
