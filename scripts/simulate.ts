/**
 * Runs the kernel in simulated time over seeds, with faults and without, under the checkers:
 * `node scripts/simulate.ts --seeds N [--seed S] [--requests R] [--json]`. One run a seed, from S on (0 unless given) when S
 * is a number. Prints what was drawn before each run. A failure ends with the command that repeats it, and exit status 1.
 */
import { parseArgs } from "node:util";
import { type DrawnOptions, drawOptions, simulate, type SimulateResult } from "../src/sim/run.ts";
import { Violation } from "../src/sim/checkers/violation.ts";

const USAGE = "usage: node scripts/simulate.ts [--seeds N] [--seed S] [--requests R] [--json]";

interface Wanted {
  readonly seeds: readonly string[];
  readonly requests: number;
  readonly json: boolean;
}

function natural(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name} must be a whole number from 1 up`);
  return value;
}

function wanted(): Wanted {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1" },
      seed: { type: "string", default: "0" },
      requests: { type: "string", default: "1000" },
      json: { type: "boolean", default: false },
    },
  });
  const count = natural(values.seeds, "seeds");
  const first = Number(values.seed);
  const isNumber = Number.isSafeInteger(first);
  if (!isNumber && count > 1) throw new TypeError("--seeds more than 1 needs a whole number as --seed");
  const seeds = isNumber ? Array.from({ length: count }, (_, index) => String(first + index)) : [values.seed];
  return { seeds, requests: natural(values.requests, "requests"), json: values.json };
}

/** What was drawn, in one line: the fleet's size and limits, the load, and the kinds of fault that are switched on. */
function inWords({ seed, requests, faults, traffic, fleet }: DrawnOptions): string {
  const on = Object.entries(faults).filter(([, odds]) => odds > 0);
  const { maxQueued, queueTimeoutMs, maxAttempts, maxUnsettled } = fleet.config.limits;
  const limits = `queue ${maxQueued} for ${queueTimeoutMs} ms, attempts ${maxAttempts}, unsettled ${maxUnsettled}`;
  const gaps = `gaps ${traffic.calmGapUs}/${traffic.burstGapUs} µs`;
  const kinds = on.map(([name, odds]) => `${name} ${odds}`).join(", ") || "none";
  const backends = `${fleet.config.backends.length} of ${fleet.pool.length} backends`;
  const agents = `${traffic.agents.inRuns} of 1000 in runs`;
  return `seed ${seed}: ${requests} requests, ${agents}, ${backends}, ${limits}, ${gaps}, faults in 1000: ${kinds}`;
}

function resultInWords({ digest, stats }: SimulateResult, seconds: number): string {
  const { completed = 0, ...others } = stats.ended;
  const rest = Object.entries(others).map(([code, count]) => `${code} ${count}`);
  const pace = `${Math.round(stats.requests / seconds)} requests/s`;
  return `  ok ${digest}: ${completed} completed, ${rest.join(", ")}; ${stats.events} events, ${pace}`;
}

/** Runs one seed; returns its requests and seconds, or null when it failed. */
function runSeed(
  seed: string,
  { requests, json }: Wanted,
): { readonly requests: number; readonly seconds: number } | null {
  const options = drawOptions({ seed, requests });
  console.log(
    json ? JSON.stringify({ seed, requests, faults: options.faults, traffic: options.traffic }) : inWords(options),
  );
  const began = performance.now();
  try {
    const result = simulate({ seed, requests });
    const seconds = (performance.now() - began) / 1000;
    console.log(
      json
        ? JSON.stringify({ seed, digest: result.digest, stats: result.stats, seconds })
        : resultInWords(result, seconds),
    );
    return { requests: result.stats.requests, seconds };
  } catch (error) {
    const rule = error instanceof Violation ? error.rule : "unexpected";
    const text = error instanceof Error ? (error instanceof Violation ? error.message : error.stack) : String(error);
    const repeat = `node scripts/simulate.ts --seeds 1 --seed ${seed} --requests ${requests}`;
    console.log(json ? JSON.stringify({ seed, rule, failure: text, repeat }) : `  FAILED ${text}\n  repeat: ${repeat}`);
    return null;
  }
}

function main(): number {
  let want: Wanted;
  try {
    want = wanted();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  let requests = 0;
  let seconds = 0;
  const failed: string[] = [];
  for (const [index, seed] of want.seeds.entries()) {
    const ran = runSeed(seed, want);
    if (ran === null) failed.push(seed);
    requests += ran?.requests ?? 0;
    seconds += ran?.seconds ?? 0;
    if (process.stderr.isTTY) process.stderr.write(`\r${index + 1} of ${want.seeds.length} seeds\u001B[K\r`);
  }
  const pace = seconds > 0 ? Math.round(requests / seconds) : 0;
  const summary = { seeds: want.seeds.length, failed, requests, seconds, requestsPerSecond: pace };
  const bad = failed.length === 0 ? "all hold" : `${failed.length} FAILED: ${failed.join(", ")}`;
  console.log(
    want.json
      ? JSON.stringify(summary)
      : `${want.seeds.length} seeds, ${bad}; ${requests} requests in ${seconds.toFixed(1)} s, ${pace} requests/s`,
  );
  // The last line of a failure is the command that repeats its first seed.
  const [first] = failed;
  if (first !== undefined && !want.json) {
    console.log(`repeat: node scripts/simulate.ts --seeds 1 --seed ${first} --requests ${want.requests}`);
  }
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = main();
