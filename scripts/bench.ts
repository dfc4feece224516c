/**
 * Measures what Baseload costs between a client and its upstream, beside a bare proxy, nginx and no proxy at all, in one run:
 * `npm run bench -- [--rounds N] [--seconds S] [--only NAMES] [--json]`. How, and what was found: docs/benchmarks.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CAN_PIN, nextMessage, startScript, stop } from "./bench/children.ts";
import { type Effort, measureRound, type Round, warmUp } from "./bench/measure.ts";
import { type BenchOptions, parseOptions, USAGE } from "./bench/options.ts";
import { rssBytes } from "./bench/process-cost.ts";
import { type Measured, summarise, table } from "./bench/summary.ts";
import { startTarget, type Target } from "./bench/targets.ts";

const CONNECTIONS = 64;
const REQUEST_RATE = 500;
const STREAM_RATE = 50;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Rounds alternate between the targets, so that what else the machine does disturbs them alike. */
async function measureAll(
  targets: readonly Target[],
  { rounds, seconds }: BenchOptions,
  load: ReturnType<typeof startScript>,
): Promise<readonly Measured[]> {
  const effort: Effort = { seconds, connections: CONNECTIONS, requestRate: REQUEST_RATE, streamRate: STREAM_RATE };
  const found = new Map<Target, Round[]>(targets.map((target) => [target, []]));
  for (const target of targets) {
    say(`warming up ${target.name}`);
    await warmUp(load, target, effort);
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const target of targets) {
      say(`round ${round} of ${rounds}: ${target.name}`);
      found.get(target)?.push(await measureRound(load, target, effort));
    }
  }
  return targets.map((target) => {
    const pid = target.child?.pid;
    return {
      name: target.name,
      rounds: found.get(target) ?? [],
      rssBytes: pid === undefined ? null : rssBytes(pid),
    };
  });
}

async function startAll(only: BenchOptions["only"], place: Parameters<typeof startTarget>[1]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const name of only) {
    const started = await startTarget(name, place);
    if (typeof started === "string") say(`without ${name}: ${started}`);
    else targets.push(started);
  }
  return targets;
}

async function bench(options: BenchOptions): Promise<number> {
  if (!CAN_PIN) say("not pinned to cores (needs taskset and two cores): load and upstream disturb what is measured");
  const dir = mkdtempSync(join(tmpdir(), "baseload-bench-"));
  const upstream = startScript("load", "mock-upstream.ts");
  const load = startScript("load", "load.ts");
  let targets: readonly Target[] = [];
  try {
    const { port } = await nextMessage<{ readonly port: number }>(upstream);
    targets = await startAll(options.only, { dir, upstreamPort: port, nodeFlags: options.nodeFlags });
    const measured = await measureAll(targets, options, load);
    const rows = summarise(measured);
    process.stdout.write(options.json ? `${JSON.stringify({ pinned: CAN_PIN, rows, measured })}\n` : table(rows));
    return 0;
  } finally {
    const children = targets.flatMap(({ child }) => (child === null ? [] : [child]));
    await Promise.all([...children, load, upstream].map(stop));
    rmSync(dir, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await bench(parseOptions(process.argv.slice(2)));
} catch (error) {
  const isUsage = error instanceof TypeError;
  console.error(error instanceof Error ? (isUsage ? `${error.message}\n${USAGE}` : error.stack) : error);
  process.exitCode = isUsage ? 2 : 1;
}
