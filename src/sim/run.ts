import { AssertionFailure } from "../base/assert.ts";
import { JournalWriter } from "../kernel/journal.ts";
import { Kernel } from "../kernel/kernel.ts";
import { Violation } from "./checkers/violation.ts";
import { drawFaultOdds, type FaultOdds } from "./faults.ts";
import { drawFleet, type Fleet } from "./fleet.ts";
import type { Tally } from "./tally.ts";
import { Trace } from "./trace.ts";
import { drawTraffic, type TrafficOptions } from "./traffic.ts";
import { type Machine, World } from "./world.ts";

/** What a run is drawn from. */
export interface SimulateOptions {
  readonly seed: string;
  /** How many requests arrive; 1,000 unless told. */
  readonly requests?: number;
  /** Odds that replace the drawn ones. */
  readonly faults?: Partial<FaultOdds>;
  /** Wraps each new kernel; for kernels that are broken on purpose. */
  readonly machine?: (kernel: Kernel) => Machine;
  /** Takes the journal's lines. Only for runs without `processCrash`, since a journal is one kernel's. */
  readonly journal?: (lines: string) => void;
}

/** All that was drawn for a run, to be printed before it. */
export interface DrawnOptions {
  readonly seed: string;
  readonly requests: number;
  readonly faults: FaultOdds;
  readonly traffic: TrafficOptions;
  readonly fleet: Fleet;
}

/** What a run gave. */
export interface SimulateResult {
  /** Digest of every command with its time, receipts by their figures: equal for equal seeds. */
  readonly digest: string;
  readonly stats: Tally;
  readonly options: DrawnOptions;
}

const REQUESTS = 1_000;

/** Draws a run's options from its seed. */
export function drawOptions({ seed, requests, faults }: SimulateOptions): DrawnOptions {
  const fleet = drawFleet(seed);
  return {
    seed,
    requests: requests ?? REQUESTS,
    faults: { ...drawFaultOdds(seed), ...faults },
    traffic: drawTraffic(seed, fleet),
    fleet,
  };
}

/**
 * Runs the kernel in a simulated world, with faults and then without, under the checkers. Throws a `Violation` at the first
 * rule that does not hold; the kernel's own assertions count as one.
 */
export function simulate(given: SimulateOptions): SimulateResult {
  const options = drawOptions(given);
  const trace = new Trace();
  const writer = given.journal === undefined ? null : new JournalWriter();
  let kernel = new Kernel();
  const world = new World({
    ...options,
    newMachine: () => {
      kernel = new Kernel();
      return given.machine?.(kernel) ?? kernel;
    },
    onStep: (nowUs, event, commands) => {
      trace.add(nowUs, commands);
      if (writer !== null) given.journal?.(writer.lines(nowUs, event, { commands, kernel }));
    },
  });
  try {
    world.run();
  } catch (error) {
    if (!(error instanceof AssertionFailure)) throw error;
    throw new Violation("kernel-asserts", `${error.message} at ${world.nowUs} µs`, { cause: error });
  }
  if (writer !== null) given.journal?.(writer.digestLine());
  return { digest: trace.hex(), stats: world.tally, options };
}
