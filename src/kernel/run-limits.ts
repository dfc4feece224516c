import { heldOf } from "../base/run-record.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import type { RunCall, RunLimitKind } from "../base/run.ts";
import { tokenCostCeiling } from "../cost/money.ts";
import { forbids } from "../policy/eligible.ts";
import type { RunRules } from "./config.ts";
import { modelsFor } from "./offers.ts";
import type { Reservation, RunState } from "./run-state.ts";
import type { BackendState, State } from "./state.ts";

/** Why a call may not join its run. `kind` is null where no limit was met. */
export interface RunRefusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly kind: RunLimitKind | null;
}

/** A call that asks to join a run. */
export interface Joining {
  readonly run: RunState;
  readonly job: Job;
  readonly call: RunCall;
  readonly rules: RunRules;
  readonly wallMs: number;
}

// English prose has about four characters a token, program text about three.
const CHARACTERS_PER_TOKEN_MIN = 2;
// What a client may ask for is not bounded; beyond these no limit that anybody sets is kept, and sums must stay exact.
const MOST_TOKENS = 1_000_000_000;
const MOST_NANO_USD = 1_000_000_000_000_000;

/**
 * What the call may use: input by the length of its text, output by what it allows itself, dollars by the dearest backend that may
 * serve it. Joules, and dollars where no price list tells them, are taken to be those of the run's largest step so far.
 */
export function reservationOf(state: State, { run, job, call, rules }: Joining): Reservation {
  const inputTokens = Math.ceil(job.promptTextLength / CHARACTERS_PER_TOKEN_MIN);
  // An embedding is no text.
  const mostTokens = job.endpoint === "embeddings" ? 0 : (job.maxOutputTokens ?? rules.maxOutputTokens);
  const outputTokens = Math.min(MOST_TOKENS, mostTokens * call.choices);
  const { totals } = run.record;
  let costNanoUsd = 1;
  for (const backend of candidates(state, job)) {
    const { price } = backend.config;
    const cost = price === null ? totals.costNanoUsd.largest : tokenCostCeiling(inputTokens, outputTokens, price);
    costNanoUsd = Math.max(costNanoUsd, Math.min(MOST_NANO_USD, cost));
  }
  return {
    tokens: Math.max(1, inputTokens + outputTokens),
    costNanoUsd,
    energyMilliJoules: Math.max(1, totals.energyMilliJoules.largest),
  };
}

/** Why the limits of its run forbid the call, or null when it may join. */
export function limitRefusal(state: State, joining: Joining, own: Reservation): RunRefusal | null {
  const { record, reserved } = joining.run;
  const { limits, totals } = record;
  const elapsedMs = record.firstWallMs === null ? 0 : Math.max(0, joining.wallMs - record.firstWallMs);
  return (
    exceeded({ kind: "steps", used: record.steps, reserved: 0, own: 1, most: limits.maxSteps, places: 0 }) ??
    exceeded({ kind: "seconds", used: elapsedMs, reserved: 0, own: 1, most: limits.maxWallMs, places: 3 }) ??
    unknownRefusal(state, joining) ??
    exceeded({
      kind: "tokens",
      used: heldOf(totals.tokens),
      reserved: reserved.tokens,
      own: own.tokens,
      most: limits.maxTokens,
      places: 0,
    }) ??
    exceeded({
      kind: "usd",
      used: heldOf(totals.costNanoUsd),
      reserved: reserved.costNanoUsd,
      own: own.costNanoUsd,
      most: limits.maxCostNanoUsd,
      places: 9,
    }) ??
    exceeded({
      kind: "joules",
      used: heldOf(totals.energyMilliJoules),
      reserved: reserved.energyMilliJoules,
      own: own.energyMilliJoules,
      most: limits.maxEnergyMilliJoules,
      places: 3,
    }) ??
    loopRefusal(joining)
  );
}

function exceeded(of: {
  readonly kind: RunLimitKind;
  readonly used: number;
  readonly reserved: number;
  readonly own: number;
  readonly most: number | null;
  /** Decimals that the kind's unit has. */
  readonly places: number;
}): RunRefusal | null {
  const { kind, used, reserved, own, most, places } = of;
  if (most === null || used + reserved + own <= most) return null;
  const say = (value: number): string => decimalText(value, places);
  const others = reserved === 0 ? "" : `, ${say(reserved)} reserved for calls in flight`;
  const next = kind === "seconds" ? "" : `, this call may take ${say(own)}`;
  const detail = `${kind}: ${say(used)} used${others}${next}, ${say(most)} allowed`;
  return { code: "run_limit_exceeded", detail, kind };
}

/** A limit on what cannot be told before the call would be no limit. */
function unknownRefusal(state: State, { run, job, rules }: Joining): RunRefusal | null {
  const { maxCostNanoUsd, maxEnergyMilliJoules } = run.record.limits;
  if (rules.unknown === "allow" || (maxCostNanoUsd === null && maxEnergyMilliJoules === null)) return null;
  for (const backend of candidates(state, job)) {
    const { id, config } = backend;
    const electricity = state.sites.get(config.site)?.electricityNanoUsdPerKwh ?? null;
    const hasCost = config.price !== null || (config.watts !== null && electricity !== null);
    const kind = maxCostNanoUsd !== null && !hasCost ? "usd" : null;
    const missing = kind ?? (maxEnergyMilliJoules !== null && config.watts === null ? "joules" : null);
    if (missing !== null) return { code: "run_limit_unknown", detail: `${missing} of backend ${id}`, kind: null };
  }
  return null;
}

function loopRefusal({ run, call }: Joining): RunRefusal | null {
  const most = run.record.limits.maxSameCalls;
  const before = run.answered.find(({ callHash }) => callHash === call.callHash);
  if (most === null || before === undefined || before.answered < most) return null;
  const detail = `it repeats step ${before.step} and was answered ${before.answered} times, ${most} are allowed`;
  return { code: "run_loop_detected", detail, kind: "same_calls" };
}

function* candidates(state: State, job: Job): Generator<BackendState> {
  const models = modelsFor(state.config, job);
  for (const backend of state.backends.values()) {
    const mayServe = models.some((wanted) => forbids(backend.capability, job, wanted) === null);
    if (backend.configured && mayServe) yield backend;
  }
}

/** An integer of 10^-`places` as a decimal number. */
function decimalText(value: number, places: number): string {
  if (places === 0) return String(value);
  const digits = String(value).padStart(places + 1, "0");
  const text = `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return text.replace(/\.?0+$/, "");
}
