import type { RequestId } from "../../base/ids.ts";
import type { Job } from "../../base/job.ts";
import type { Receipt } from "../../base/receipt.ts";
import { NO_RUN_LIMITS, type RunLimits } from "../../base/run.ts";
import type { Command } from "../../kernel/command.ts";
import type { BackendConfig, RunRules } from "../../kernel/config.ts";
import type { RunView } from "../../kernel/runs.ts";
import type { StoreModel } from "../store-model.ts";
import type { FleetFacts } from "./limits.ts";
import type { Checker, Moment } from "./runs.ts";
import { holds } from "./violation.ts";

/** What the machine says of a run, or null when it says nothing. */
export type LookAtRun = (tenant: string, runId: string) => RunView | null;

/** What one call took, or may take. */
interface Amount {
  readonly tokens: number;
  readonly cost: number;
  readonly energy: number;
}

/** From outside it is not certain which backends may serve a call, and so neither is which of their prices was the dearest. */
interface Bounds {
  readonly least: Amount;
  readonly most: Amount;
}

interface Call {
  readonly job: Job;
  readonly arrivedWallMs: number;
  /** The tightest of its tenant's limits, its own and those of the calls before it. */
  readonly limits: RunLimits;
  step: number | null;
  bounds: Bounds | null;
  receipt: Receipt | null;
}

/** A run as it is seen from outside: all of its calls that had to do with its limits. */
interface SeenRun {
  readonly tenant: string;
  readonly runId: string;
  readonly calls: Map<RequestId, Call>;
  readonly answered: Map<string, number>;
}

type Figures = readonly (number | null)[];

const KINDS = ["tokens", "cost", "energy"] as const;
const LIMIT_OF = { tokens: "maxTokens", cost: "maxCostNanoUsd", energy: "maxEnergyMilliJoules" } as const;
const LIMITS = Object.keys(NO_RUN_LIMITS) as (keyof RunLimits)[];
// The product of tokens and price is one of floating point on both sides.
const ROUNDING = 1;
const FOR_EVER = 10_000;

/**
 * Runs of agents, added up from receipts anew at every call: steps are numbered without gaps, no call joins for which there is no
 * room with all that is in flight, and what the machine says of a run is what its receipts say.
 */
export class AgentChecker implements Checker {
  readonly #facts: FleetFacts;
  readonly #disk: Pick<StoreModel, "leaves">;
  readonly #look: LookAtRun;
  readonly #runs = new Map<string, SeenRun>();
  readonly #touched = new Set<SeenRun>();

  constructor(facts: FleetFacts, of: { readonly disk: Pick<StoreModel, "leaves">; readonly look: LookAtRun }) {
    this.#facts = facts;
    this.#disk = of.disk;
    this.#look = of.look;
  }

  onCommand({ event }: Moment, command: Command): void {
    if (event.kind === "arrived" && event.job.run !== null) {
      if (command.kind === "join") this.#onJoin({ job: event.job, wallMs: event.wallMs, step: command.step });
      if (command.kind === "answer" && !command.result.ok)
        this.#onRefused(event.job, { ...command.result, wallMs: event.wallMs });
    }
    if (command.kind === "append") this.#onAppend(command.receipt);
  }

  onStepEnd(): void {
    for (const run of this.#touched) this.#checkView(run);
    this.#touched.clear();
  }

  /** What is on the disk is all that is known of a run now. */
  onCrash(): void {
    const durable = new Set(this.#disk.leaves.map(({ requestId }) => requestId));
    for (const [key, run] of this.#runs) {
      for (const requestId of run.calls.keys()) if (!durable.has(requestId)) run.calls.delete(requestId);
      run.answered.clear();
      if (run.calls.size === 0) this.#runs.delete(key);
    }
  }

  #runOf({ run, principal: { tenant } }: Job): SeenRun {
    const runId = run?.runId ?? "";
    const key = JSON.stringify([tenant, runId]);
    const found = this.#runs.get(key) ?? { tenant, runId, calls: new Map(), answered: new Map() };
    this.#runs.set(key, found);
    return found;
  }

  #onJoin({ job, wallMs, step }: { readonly job: Job; readonly wallMs: number; readonly step: number }): void {
    const run = this.#runOf(job);
    const next = stepsOf(run) + 1;
    holds(step === next, "run-step", () => `${job.requestId} is step ${step} of ${run.runId}, not ${next}`);
    const call = this.#callOf(run, job, wallMs);
    run.calls.set(job.requestId, call);
    const over = this.#overOf(run, call, "least");
    holds(over === null, "run-limit", () => `${job.requestId} joins ${run.runId} beyond its ${over}`);
    this.#checkLoop(run, call);
    call.step = step;
    call.bounds = this.#boundsOf(run, job);
    this.#touched.add(run);
  }

  /** A call that its run refuses must have had no room. */
  #onRefused(
    job: Job,
    result: { readonly code: string; readonly detail: string | null; readonly wallMs: number },
  ): void {
    const { code, detail, wallMs } = result;
    const isOfRun = code === "run_limit_exceeded" || code === "run_limit_unknown" || code === "run_loop_detected";
    const run = this.#runOf(job);
    if (!isOfRun || run.calls.has(job.requestId)) return;
    const call = this.#callOf(run, job, wallMs);
    run.calls.set(job.requestId, call);
    if (code !== "run_limit_exceeded") return;
    const over = this.#overOf(run, call, "most");
    holds(over !== null, "run-limit", () => `${job.requestId} is refused by ${run.runId}, which has room: ${detail}`);
  }

  #callOf(run: SeenRun, job: Job, arrivedWallMs: number): Call {
    const asked = least(this.#rulesOf(job).limits, job.run?.limits ?? NO_RUN_LIMITS);
    const limits = [...run.calls.values()].reduce((all, call) => least(all, call.limits), asked);
    return { job, arrivedWallMs, limits, step: null, bounds: null, receipt: null };
  }

  #rulesOf({ principal: { tenant } }: Job): RunRules {
    const runs = this.#facts.config?.runs;
    const rules = runs?.tenants[tenant] ?? runs?.defaults;
    return rules ?? { limits: NO_RUN_LIMITS, maxOutputTokens: 0, unknown: "allow" };
  }

  /** The limit beyond which the call would be if it and those in flight take so much, or null. */
  #overOf(run: SeenRun, call: Call, bound: keyof Bounds): string | null {
    const { limits } = call;
    if (limits.maxSteps !== null && stepsOf(run) >= limits.maxSteps) return "steps";
    const steps = [...run.calls.values()].filter(({ step }) => step !== null);
    const began = Math.min(...steps.map(({ arrivedWallMs }) => arrivedWallMs));
    if (limits.maxWallMs !== null && call.arrivedWallMs - began >= limits.maxWallMs) return "seconds";
    const own = this.#boundsOf(run, call.job)[bound];
    for (const kind of KINDS) {
      const most = limits[LIMIT_OF[kind]];
      const { known, unknown, largest } = spentOf(run, kind);
      const inFlight = steps.reduce(
        (sum, { receipt, bounds }) => sum + (receipt === null ? (bounds?.[bound][kind] ?? 0) : 0),
        0,
      );
      if (most !== null && known + unknown * largest + inFlight + own[kind] > most) return kind;
    }
    return null;
  }

  /** What a call may take: the same promise as the kernel's, worked out apart from it. */
  #boundsOf(run: SeenRun, job: Job): Bounds {
    const rules = this.#rulesOf(job);
    const input = Math.ceil(job.promptTextLength / 2);
    const output = (job.maxOutputTokens ?? rules.maxOutputTokens) * (job.run?.choices ?? 1);
    const costOf = ({ price }: BackendConfig): number => {
      if (price === null) return spentOf(run, "cost").largest;
      const { inputNanoUsdPerMillion: paid, cachedInputNanoUsdPerMillion: cached } = price;
      const { outputNanoUsdPerMillion: made, reasoningNanoUsdPerMillion: thought } = price;
      const exact = input * Math.max(paid, cached ?? 0) + output * Math.max(made, thought ?? 0);
      return 2 + Math.ceil(exact / 1_000_000);
    };
    const tokens = Math.max(1, input + output);
    const energy = Math.max(1, spentOf(run, "energy").largest);
    return {
      least: { tokens, energy, cost: 1 },
      most: { tokens, energy, cost: Math.max(1, ...[...this.#facts.backends.values()].map(costOf)) + ROUNDING },
    };
  }

  /** Where no run is ever forgotten, a call that was answered often enough does not join again. */
  #checkLoop(run: SeenRun, { job, limits }: Call): void {
    const runs = this.#facts.config?.runs;
    if (runs === undefined || runs.maxKept < FOR_EVER || runs.idleMs < 1_000_000_000) return;
    const most = limits.maxSameCalls;
    const before = run.answered.get(job.run?.callHash ?? "") ?? 0;
    // The kernel remembers the latest different calls only.
    if (most === null || run.answered.size > 60) return;
    holds(before < most, "run-loop", () => `${job.requestId} repeats a call of ${run.runId} for the ${before}th time`);
  }

  #onAppend(receipt: Receipt): void {
    const { runId, step, receiptId } = receipt;
    if (runId === null) return;
    const run = this.#runs.get(JSON.stringify([receipt.principal.tenant, runId]));
    const call = run?.calls.get(receiptId);
    const joined = call?.step ?? null;
    holds(step === joined, "run-step", () => `${receiptId} says step ${step} of ${runId}, and joined as ${joined}`);
    if (run === undefined || call === undefined) return;
    const { runLimits } = receipt;
    const isSame = runLimits !== null && LIMITS.every((limit) => runLimits[limit] === call.limits[limit]);
    holds(isSame, "run-limit", () => `${receiptId} says other limits of ${runId} than were in force`);
    call.receipt = receipt;
    const hash = call.job.run?.callHash ?? "";
    if (receipt.outcome === "completed") run.answered.set(hash, (run.answered.get(hash) ?? 0) + 1);
    this.#touched.add(run);
  }

  #checkView(run: SeenRun): void {
    const view = this.#look(run.tenant, run.runId);
    if (view === null) return;
    const { totals, steps } = view.record;
    const said: Figures = [steps, totals.tokens.value, totals.costNanoUsd.value, totals.energyMilliJoules.value];
    const unknown: Figures = [
      totals.tokens.unknownSteps,
      totals.costNanoUsd.unknownSteps,
      totals.energyMilliJoules.unknownSteps,
    ];
    const spent = KINDS.map((kind) => spentOf(run, kind));
    const found: Figures = [stepsOf(run), ...spent.map(({ known }) => known), ...spent.map((each) => each.unknown)];
    const text = (): string =>
      `${run.runId} stands at ${[...said, ...unknown].join()}, its receipts say ${found.join()}`;
    holds(
      [...said, ...unknown].every((value, index) => value === found[index]),
      "run-totals",
      text,
    );
  }
}

function stepsOf(run: SeenRun): number {
  return Math.max(0, ...[...run.calls.values()].map(({ step }) => step ?? 0));
}

/** The known part of what a run's steps took, how many are unknown, and the largest that is known. */
function spentOf(run: SeenRun, kind: (typeof KINDS)[number]): { known: number; unknown: number; largest: number } {
  const sum = { known: 0, unknown: 0, largest: 0 };
  for (const { receipt, step } of run.calls.values()) {
    if (receipt === null || step === null || receipt.backendId === null) continue;
    const { input, output } = receipt.tokens;
    const figures = { tokens: [input, output], cost: [receipt.costNanoUsd], energy: [receipt.energyMilliJoules] }[kind];
    const known = figures.reduce((total, { value }) => total + (value ?? 0), 0);
    sum.known += known;
    sum.largest = Math.max(sum.largest, known);
    if (figures.some(({ value, high }) => value === null || high === null)) sum.unknown += 1;
  }
  return sum;
}

function least(one: RunLimits, other: RunLimits): RunLimits {
  const pairs = LIMITS.map((key) => [key, Math.min(one[key] ?? Infinity, other[key] ?? Infinity)] as const);
  return Object.fromEntries(
    pairs.map(([key, value]) => [key, value === Infinity ? null : value]),
  ) as unknown as RunLimits;
}
