import { capacityOf } from "./capacity.ts";
import { CONSTANTS } from "./constants.ts";
import type { Deployment } from "./deployment.ts";
import { type Watts, wattsOf } from "./power.ts";
import { aloneS, decodeS, type Load, type Serving, steadyState } from "./serving.ts";
import { step } from "./step.ts";

/** Two deployments of one model: prompts are computed by the first, and their KV cache is sent to the second, which decodes. */
export interface Pair {
  readonly prefill: Deployment;
  readonly decode: Deployment;
}

const HALVINGS = 40;

/**
 * Serves a steady load by a pair. Prompts go through the first one after another, so its rate may hold up the whole; then the
 * decoding batch is smaller than the load and prompts wait. Null where either does not hold the model and a request.
 */
export function serveDisaggregated({ prefill, decode }: Pair, load: Load): Serving | null {
  const capacity = capacityOf(decode, load);
  if (!capacity.fits || !capacityOf(prefill, { ...load, outputTokens: 1 }).fits) return null;
  const promptS = aloneS(prefill, load);
  const { dp, pp } = prefill.placement.parallelism;
  const perS = (dp * pp) / promptS;
  const answerS = (batch: number): number => Math.max(1, load.outputTokens - 1) * decodeS(decode, load, batch);
  const most = Math.min(load.concurrency, capacity.maxSequences);
  const batch = largestKept(most, (size) => size / answerS(size) <= perS);
  const requestsPerS = Math.min(perS, batch / answerS(batch), load.concurrency / (promptS + answerS(batch)));
  const { requestS, requestSteps } = CONSTANTS.firstToken[decode.placement.engine];
  const sentS = transferS({ prefill, decode }, load);
  const leastS = requestS + promptS + sentS + requestSteps * decodeS(decode, load, batch);
  // Who neither decodes nor is on the way waits, before the prompt or for memory: Little's law.
  const ttftS = Math.max(leastS, load.concurrency / requestsPerS - answerS(batch));
  const average = step(decode, decoding(load, batch));
  const working = step(prefill, { ...steadyState(load, 0), prefillTokens: load.inputTokens * (1 - load.prefixHit) });
  const busy = Math.min(1, requestsPerS / perS);
  const watts = sum(
    scaled(wattsOf(decode.placement.chip, average), decode.chips),
    blend(scaled(wattsOf(prefill.placement.chip, working), prefill.chips), {
      idle: scaled(wattsOf(prefill.placement.chip, null), prefill.chips),
      busy,
    }),
  );
  const outputTokensPerS = requestsPerS * load.outputTokens;
  return {
    capacity,
    batch,
    ttftS,
    tpotS: decodeS(decode, load, batch),
    outputTokensPerS,
    requestsPerS,
    step: average,
    bound: most < load.concurrency && batch >= most ? "capacity" : busy >= 1 ? "compute" : average.bound,
    watts,
    joulesPerOutputToken: watts.gpu === null ? null : watts.gpu / outputTokensPerS,
    // One more request adds to two machines at once; what it adds is not worked out.
    marginalJoulesPerOutputToken: null,
  };
}

/** The largest batch up to `most` that holds; 1 where none does. Halving, since what holds for a batch holds for smaller ones. */
function largestKept(most: number, holds: (batch: number) => boolean): number {
  if (holds(most)) return most;
  let [low, high] = [1, most];
  for (let turn = 0; turn < HALVINGS && high - low > 1e-6 * high; turn += 1) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function decoding(load: Load, batch: number): ReturnType<typeof steadyState> {
  return { ...steadyState(load, batch), prefillTokens: 0 };
}

/** Seconds to send a prompt's KV cache, over as many links as the narrower side has chips for one request. */
function transferS({ prefill, decode }: Pair, { inputTokens }: Load): number {
  const { kv } = decode;
  const bytes = inputTokens * kv.fullBytes + Math.min(inputTokens, kv.windowTokens) * kv.windowBytes + kv.stateBytes;
  const links = Math.min(prefill.placement.parallelism.tp, decode.placement.parallelism.tp);
  return bytes / (links * CONSTANTS.scaleOutBytesPerS * CONSTANTS.network);
}

function each(watts: Watts, change: (value: number, boundary: keyof Watts) => number | null): Watts {
  const of = (boundary: keyof Watts): number | null => {
    const value = watts[boundary];
    return value === null ? null : change(value, boundary);
  };
  return { gpu: of("gpu"), node: of("node"), facility: of("facility") };
}

function scaled(watts: Watts, chips: number): Watts {
  return each(watts, (value) => value * chips);
}

function sum(one: Watts, other: Watts): Watts {
  return each(one, (value, boundary) => {
    const more = other[boundary];
    return more === null ? null : value + more;
  });
}

function blend(watts: Watts, { idle, busy }: { readonly idle: Watts; readonly busy: number }): Watts {
  return each(watts, (value, boundary) => (idle[boundary] ?? 0) * (1 - busy) + value * busy);
}
