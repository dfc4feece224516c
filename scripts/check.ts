/**
 * Everything that must hold before a change goes in: `npm run check`. `--only types,tidy` runs those steps alone and
 * `--skip tests` all but those. Every step runs, whatever failed before it; a list of failures comes last.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GOLDEN, TESTS } from "./check/steps.ts";
import { indent, run } from "./run.ts";
import { ROOT } from "./serve-for.ts";

/** The commands of a step, run in order until one fails. */
interface Step {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  readonly timeoutMs: number;
  /** How much of a passing step's output is shown. */
  readonly tailLines: number;
}

const bin = (name: string): string => join(ROOT, "node_modules", ".bin", name);
const script = (name: string): readonly string[] => [process.execPath, join("scripts", name)];

const STEPS: readonly Step[] = [
  { name: "types", commands: [[bin("tsc"), "--noEmit", "-p", "."]], timeoutMs: 120_000, tailLines: 1 },
  { name: "lint", commands: [[bin("oxlint")]], timeoutMs: 120_000, tailLines: 1 },
  { name: "format", commands: [[bin("oxfmt"), "--check"]], timeoutMs: 120_000, tailLines: 1 },
  { name: "tidy", commands: [script("tidy.ts")], timeoutMs: 60_000, tailLines: 1 },
  { name: "golden", commands: GOLDEN.map(script), timeoutMs: 120_000, tailLines: 1 },
  { name: "tests", commands: [[process.execPath, "--test", ...TESTS]], timeoutMs: 900_000, tailLines: 8 },
  { name: "examples", commands: [script("examples.ts")], timeoutMs: 600_000, tailLines: 1 },
  { name: "docs", commands: [script("docs-code.ts")], timeoutMs: 600_000, tailLines: 1 },
];

/** The steps that the command line asks for. */
function chosen(): readonly Step[] {
  const { values } = parseArgs({ options: { only: { type: "string" }, skip: { type: "string" } } });
  const names = (list: string | undefined): readonly string[] => list?.split(",") ?? [];
  const unknown = [...names(values.only), ...names(values.skip)].filter((name) =>
    STEPS.every((step) => step.name !== name),
  );
  if (unknown.length > 0) throw new Error(`no step is called ${unknown.join(", ")}`);
  return STEPS.filter(({ name }) => values.only === undefined || names(values.only).includes(name)).filter(
    ({ name }) => !names(values.skip).includes(name),
  );
}

/** What went wrong, or null. Output is shown in full when a step fails; of passing ones only the last lines are. */
async function perform(step: Step): Promise<string | null> {
  let last = "";
  for (const [command = "", ...args] of step.commands) {
    const { status, output } = await run({ command, args, timeoutMs: step.timeoutMs });
    if (status !== 0) return output;
    last = output.trimEnd().split("\n").slice(-step.tailLines).join("\n");
  }
  if (last !== "") console.log(indent(last));
  return null;
}

async function main(steps: readonly Step[]): Promise<void> {
  const failed: string[] = [];
  for (const step of steps) {
    const began = performance.now();
    console.log(`${step.name} …`);
    const trouble = await perform(step);
    if (trouble !== null) {
      failed.push(step.name);
      console.log(indent(trouble));
    }
    console.log(
      `${step.name}: ${trouble === null ? "ok" : "FAILED"} in ${((performance.now() - began) / 1000).toFixed(1)} s`,
    );
  }
  console.log(failed.length === 0 ? `check: all ${steps.length} steps ok` : `check: failed: ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

let steps: readonly Step[] | null = null;
try {
  steps = chosen();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}`);
  console.error(
    `usage: npm run check -- [--only STEP,…] [--skip STEP,…]; steps: ${STEPS.map(({ name }) => name).join(", ")}`,
  );
  process.exitCode = 2;
}
if (steps !== null) await main(steps);
