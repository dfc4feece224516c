import { CONSTANTS } from "./constants.ts";
import type { Deployment, Roof } from "./deployment.ts";

/** What one step of an engine works on: decoding sequences and, in the same step, tokens of prompts. Averages may be fractions. */
export interface BatchState {
  readonly decodeSequences: number;
  /** Tokens of context that each of them attends to, on average. */
  readonly decodeContextTokens: number;
  /** Tokens that each of them brings: 1, and more with drafts to be verified. */
  readonly decodeTokensPerSequence: number;
  /** Prompt tokens computed in this step; those found in the prefix cache are not among them. */
  readonly prefillTokens: number;
  /** Tokens of context that each prompt token attends to, on average. */
  readonly prefillContextTokens: number;
}

/** What takes most of a step. */
export type Bound = "weight_bandwidth" | "kv_bandwidth" | "compute" | "network" | "overhead";

/** One step: its time, where it went, and what it moved. */
export interface StepCost {
  readonly seconds: number;
  readonly weightS: number;
  readonly kvS: number;
  readonly computeS: number;
  readonly networkS: number;
  readonly overheadS: number;
  readonly bound: Bound;
  /** Bytes read from memory, over all chips. */
  readonly bytes: number;
  /** FLOP as a fraction of what the chips could do in the time outside of overhead, and that time as a fraction of the step. */
  readonly utilisation: number;
  readonly busyShare: number;
}

/**
 * The time of one step: the sum over its parts of the larger of moving the weights and computing, and then the KV cache, collectives
 * and fixed costs. Grows, or stays, with every number of the state. With stages (pp) the batch is dealt out to them, and a step is one pass of
 * each sequence through all stages.
 */
export function step(deployment: Deployment, state: BatchState): StepCost {
  const { dp, pp } = deployment.placement.parallelism;
  const sequences = state.decodeSequences / pp;
  const prefill = state.prefillTokens / pp;
  const tokens = sequences * state.decodeTokensPerSequence + prefill;
  const { attention, dense, experts, head, kv, network } = deployment;
  const ranked = tokens / dp;
  const heads = sequences * state.decodeTokensPerSequence + (prefill > 0 ? 1 : 0);
  const touched =
    deployment.expertCount === 0 ? 0 : deployment.expertCount * (1 - Math.pow(deployment.untouchedPerToken, tokens));

  let weightS = 0;
  let computeS = 0;
  const roof = (part: Roof, weights: number, work: number): void => {
    const streaming = part.weightS * weights;
    const computing = part.computeS * work;
    if (streaming >= computing) weightS += streaming;
    else computeS += computing;
  };
  roof(attention, 1, ranked);
  roof(dense, 1, ranked);
  roof(experts, touched, tokens);
  roof(head, 1, heads / dp);

  // The step waits for the rank that holds most: one sequence is in one rank, and not a share of it in each.
  const held = Math.max(sequences / dp, Math.min(1, state.decodeSequences));
  const windowed = Math.min(state.decodeContextTokens, kv.windowTokens);
  const reading = held * (state.decodeContextTokens * kv.fullS + windowed * kv.windowS + kv.stateS);
  const scoring = held * state.decodeTokensPerSequence * state.decodeContextTokens * kv.computeS;
  let kvS = 0;
  if (reading >= scoring) kvS = reading;
  else computeS += scoring;
  const pairS = (prefill / dp) * state.prefillContextTokens * deployment.prefillPairS;
  computeS += pairS;

  const networkS = network.latencyS + tokens * network.perTokenS;
  const overheadS = deployment.overheadS;
  const busyS = weightS + kvS + computeS + networkS;
  const seconds = busyS + overheadS;
  const ideal =
    (ranked * (attention.computeS + dense.computeS) + tokens * experts.computeS) * deployment.computeEfficiency +
    pairS * CONSTANTS.prefillAttention;
  const decodeBytes = state.decodeContextTokens * kv.fullBytes + windowed * kv.windowBytes + kv.stateBytes;
  return {
    seconds,
    weightS,
    kvS,
    computeS,
    networkS,
    overheadS,
    bound: largest({ weightS, kvS, computeS, networkS, overheadS }),
    bytes: pp * ((attention.bytes + dense.bytes + head.bytes) * dp + touched * experts.bytes + sequences * decodeBytes),
    utilisation: busyS > 0 ? Math.min(1, ideal / busyS) : 0,
    busyShare: seconds > 0 ? busyS / seconds : 0,
  };
}

type Parts = Pick<StepCost, "weightS" | "kvS" | "computeS" | "networkS" | "overheadS">;

function largest({ weightS, kvS, computeS, networkS, overheadS }: Parts): Bound {
  const most = Math.max(weightS, kvS, computeS, networkS, overheadS);
  if (most === weightS) return "weight_bandwidth";
  if (most === kvS) return "kv_bandwidth";
  if (most === computeS) return "compute";
  return most === networkS ? "network" : "overhead";
}
