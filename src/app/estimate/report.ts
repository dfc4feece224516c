import type { Answer } from "./ask.ts";

/** One answer as it is printed by `--json`. Every figure is the model's estimate; null is unknown. */
export interface EstimatePoint {
  readonly method: "model_estimate";
  readonly model: string;
  readonly precision: string;
  readonly hardware: string;
  readonly accelerators: number;
  readonly parallelism: Answer["question"]["parallelism"];
  /** Where the prompts are computed, if not there. */
  readonly prefill: { readonly hardware: string; readonly accelerators: number } | null;
  readonly engine: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly concurrency: number;
  readonly fits: boolean;
  readonly reason: string | null;
  readonly bytesShort: number;
  readonly memory: {
    readonly totalBytes: number;
    readonly usableBytes: number;
    readonly weightBytes: number;
    readonly kvBytesPerRequest: number;
    readonly maxConcurrency: number;
  };
  readonly estimate: Estimate | null;
  readonly sources: readonly string[];
  readonly extrapolated: readonly string[];
}

/** Speed, power and money of what fits. */
export interface Estimate {
  readonly batch: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly outputTokensPerS: number;
  readonly outputTokensPerSPerUser: number;
  readonly outputTokensPerSPerAccelerator: number;
  readonly bound: string;
  /** Where the average step's milliseconds go, and the bytes that it reads over all chips. */
  readonly step: {
    readonly weightMs: number;
    readonly kvMs: number;
    readonly computeMs: number;
    readonly networkMs: number;
    readonly overheadMs: number;
    readonly bytes: number;
  };
  readonly gpuWatts: number | null;
  readonly nodeWatts: number | null;
  readonly facilityWatts: number | null;
  readonly gpuJoulesPerOutputToken: number | null;
  readonly marginalGpuJoulesPerOutputToken: number | null;
  readonly avoidableUsdPerMillionOutput: number | null;
  readonly ownedUsdPerMillionOutput: number | null;
  readonly rentedUsdPerMillionOutput: number | null;
  readonly gramsCo2PerMillionOutput: number | null;
}

const MS = 1e3;

/** An answer in the words and units of the outside. */
export function pointOf(answer: Answer): EstimatePoint {
  const { question, prefill, load, capacity } = answer;
  return {
    method: "model_estimate",
    model: question.model.id,
    precision: question.precision.id,
    hardware: question.accelerator.id,
    accelerators: question.count,
    parallelism: question.parallelism,
    prefill: prefill === null ? null : { hardware: prefill.accelerator.id, accelerators: prefill.count },
    engine: question.engine,
    inputTokens: load.inputTokens,
    outputTokens: load.outputTokens,
    concurrency: load.concurrency,
    fits: capacity.fits,
    reason: capacity.reason,
    bytesShort: capacity.bytesShort,
    memory: {
      totalBytes: capacity.memoryBytes,
      usableBytes: capacity.usableBytes,
      weightBytes: capacity.weightBytes,
      kvBytesPerRequest: capacity.kvBytesPerSequence,
      maxConcurrency: capacity.maxSequences,
    },
    estimate: estimateOf(answer),
    sources: answer.sources,
    extrapolated: answer.extrapolated,
  };
}

function estimateOf({ serving, rates, question, prefill }: Answer): Estimate | null {
  if (serving === null) return null;
  const { step, watts } = serving;
  return {
    batch: serving.batch,
    ttftMs: serving.ttftS * MS,
    tpotMs: serving.tpotS * MS,
    outputTokensPerS: serving.outputTokensPerS,
    outputTokensPerSPerUser: 1 / serving.tpotS,
    outputTokensPerSPerAccelerator: serving.outputTokensPerS / (question.count + (prefill?.count ?? 0)),
    bound: serving.bound,
    step: {
      weightMs: step.weightS * MS,
      kvMs: step.kvS * MS,
      computeMs: step.computeS * MS,
      networkMs: step.networkS * MS,
      overheadMs: step.overheadS * MS,
      bytes: step.bytes,
    },
    gpuWatts: watts.gpu,
    nodeWatts: watts.node,
    facilityWatts: watts.facility,
    gpuJoulesPerOutputToken: serving.joulesPerOutputToken,
    marginalGpuJoulesPerOutputToken: serving.marginalJoulesPerOutputToken,
    avoidableUsdPerMillionOutput: rates?.avoidableUsdPerMillion ?? null,
    ownedUsdPerMillionOutput: rates?.ownedUsdPerMillion ?? null,
    rentedUsdPerMillionOutput: rates?.rentedUsdPerMillion ?? null,
    gramsCo2PerMillionOutput: rates?.gramsPerMillion ?? null,
  };
}
