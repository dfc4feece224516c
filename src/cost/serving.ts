import { type Capacity, capacityOf } from "./capacity.ts";
import { CONSTANTS } from "./constants.ts";
import type { Deployment } from "./deployment.ts";
import { type Bound, type BatchState, step, type StepCost } from "./step.ts";
import { type Watts, wattsOf } from "./power.ts";

/** A steady load: so many requests at any time, each replaced by the next when it ends. */
export interface Load {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly concurrency: number;
  /** Share of each prompt that is in the prefix cache. */
  readonly prefixHit: number;
  /** The most prompt tokens that one step takes. */
  readonly chunkTokens: number;
  readonly speculation: Speculation | null;
  /** True where a batch's prompts are computed together before its answers begin, and the next batch waits for all of them. */
  readonly isStatic: boolean;
}

/** Drafting: so many tokens a step, each accepted with this probability if those before it were. */
export interface Speculation {
  readonly draftTokens: number;
  readonly acceptance: number;
}

/** How a deployment serves a load in the steady state. A model's estimate, not a measurement. */
export interface Serving {
  readonly capacity: Capacity;
  /** Requests that are in the batch; the others wait for memory. */
  readonly batch: number;
  readonly ttftS: number;
  readonly tpotS: number;
  readonly outputTokensPerS: number;
  readonly requestsPerS: number;
  readonly step: StepCost;
  readonly bound: Bound | "capacity";
  /** Over all chips. */
  readonly watts: Watts;
  /** At the gpu boundary, per output token: everything divided by all, and what one more request in the batch adds. */
  readonly joulesPerOutputToken: number | null;
  readonly marginalJoulesPerOutputToken: number | null;
}

/** Serves a load; null where it does not fit, for which `capacityOf` gives the reason. */
export function serve(deployment: Deployment, load: Load): Serving | null {
  const { inputTokens, outputTokens } = load;
  const capacity = capacityOf(deployment, { inputTokens, outputTokens });
  if (!capacity.fits) return null;
  const batch = Math.min(load.concurrency, capacity.maxSequences);
  const advance = tokensPerStep(load.speculation);
  const passes = passesOf(deployment, load.speculation);
  const average = step(deployment, steadyState(load, batch));
  const tpotS = (average.seconds * passes) / advance;
  const answerS = Math.max(0, outputTokens - 1) * tpotS;
  const firstS = firstTokenS({ deployment, load, batch, stepS: average.seconds * passes });
  const requestsPerS = batch / (firstS + answerS);
  // The others wait until one of the batch has ended: Little's law.
  const waitS = (load.concurrency - batch) / requestsPerS;
  const { chips, placement } = deployment;
  const each = wattsOf(placement.chip, average);
  const outputTokensPerS = requestsPerS * outputTokens;
  return {
    capacity,
    batch,
    ttftS: firstS + waitS,
    tpotS,
    outputTokensPerS,
    requestsPerS,
    step: average,
    bound: batch < load.concurrency ? "capacity" : average.bound,
    watts: { gpu: times(each.gpu, chips), node: times(each.node, chips), facility: times(each.facility, chips) },
    joulesPerOutputToken: each.gpu === null ? null : (each.gpu * chips) / outputTokensPerS,
    marginalJoulesPerOutputToken: marginalJoules(deployment, load, batch),
  };
}

/** The average step under a steady load: all sequences decode, and prompts come in as answers go out, or beforehand if static. */
export function steadyState(load: Load, batch: number): BatchState {
  const { inputTokens, outputTokens, prefixHit } = load;
  const fresh = inputTokens * (1 - prefixHit);
  return {
    decodeSequences: batch,
    decodeContextTokens: inputTokens + outputTokens / 2,
    decodeTokensPerSequence: 1 + (load.speculation?.draftTokens ?? 0),
    // While a sequence decodes, the prompts that come in are those of the others.
    prefillTokens: load.isStatic
      ? 0
      : (Math.max(0, batch - 1) * fresh * tokensPerStep(load.speculation)) / outputTokens,
    prefillContextTokens: inputTokens * prefixHit + fresh / 2,
  };
}

/**
 * Joules per output token that one more request adds to each step, the others' work held fixed: the power curve and the step
 * both grow with the batch, so it is never below zero.
 */
function marginalJoules(deployment: Deployment, load: Load, batch: number): number | null {
  const energy = (size: number): number | null => {
    const cost = step(deployment, steadyState(load, size));
    const { gpu } = wattsOf(deployment.placement.chip, cost);
    return gpu === null ? null : gpu * deployment.chips * cost.seconds;
  };
  const [less, more] = [energy(batch), energy(batch + 1)];
  if (less === null || more === null) return null;
  return (Math.max(0, more - less) * passesOf(deployment, load.speculation)) / tokensPerStep(load.speculation);
}

interface First {
  readonly deployment: Deployment;
  readonly load: Load;
  readonly batch: number;
  readonly stepS: number;
}

/**
 * Seconds to the first token without waiting for memory: the way through the serving stack, a few steps of what runs already, the own
 * prompt in chunks, and a share of the others' prompts that came in the same burst.
 */
function firstTokenS({ deployment, load, batch, stepS }: First): number {
  const ownS = aloneS(deployment, load);
  if (load.isStatic) return Math.max(1, batch / deployment.placement.parallelism.dp) * ownS;
  const { requestS, requestSteps, burst } = CONSTANTS.firstToken[deployment.placement.engine];
  const ahead = (batch - 1) / (2 * deployment.placement.parallelism.dp);
  return requestS + requestSteps * stepS + ownS * (1 + burst * ahead);
}

/** Seconds to compute one prompt in each dp rank, in chunks, with nothing else to do: a prompt is not dealt out to ranks. */
export function aloneS(deployment: Deployment, load: Load): number {
  const fresh = load.inputTokens * (1 - load.prefixHit);
  const chunks = Math.max(1, Math.ceil(fresh / load.chunkTokens));
  const ranks = deployment.placement.parallelism.dp * deployment.placement.parallelism.pp;
  return chunks * step(deployment, { ...steadyState(load, 0), prefillTokens: (ranks * fresh) / chunks }).seconds;
}

/** Seconds per output token of a batch that only decodes, drafts included. */
export function decodeS(deployment: Deployment, load: Load, batch: number): number {
  const { seconds } = step(deployment, { ...steadyState(load, batch), prefillTokens: 0 });
  return (seconds * passesOf(deployment, load.speculation)) / tokensPerStep(load.speculation);
}

/** Tokens that one step yields for each sequence: 1, and the expected run of accepted drafts. */
function tokensPerStep(speculation: Speculation | null): number {
  if (speculation === null) return 1;
  let run = 1;
  let expected = 1;
  for (let draft = 0; draft < speculation.draftTokens; draft += 1) {
    run *= speculation.acceptance;
    expected += run;
  }
  return expected;
}

/** The step with its drafts, in passes of the model: each draft goes through one layer's worth of it. */
function passesOf(deployment: Deployment, speculation: Speculation | null): number {
  return 1 + (speculation?.draftTokens ?? 0) / deployment.placement.model.layers;
}

function times(value: number | null, factor: number): number | null {
  return value === null ? null : value * factor;
}
