import { parseArgs } from "node:util";
import { TARGET_NAMES, type TargetName } from "./targets.ts";

/** How to run the benchmark. */
export const USAGE = `usage: npm run bench -- [--rounds N] [--seconds S] [--only NAMES] [--node-flags FLAGS] [--json]
  --rounds N     rounds, of which medians are taken (5)
  --seconds S    length of each run; a round has three a target (3)
  --only NAMES   some of ${TARGET_NAMES.join(",")}
  --node-flags F for Baseload's Node, as in --node-flags="--cpu-prof --cpu-prof-dir=/tmp/profile"
  --json         print the rows and rounds as JSON`;

/** What was asked for. */
export interface BenchOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly TargetName[];
  readonly nodeFlags: readonly string[];
  readonly json: boolean;
}

/** Reads the command line; throws in words. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "3" },
      only: { type: "string", default: TARGET_NAMES.join(",") },
      "node-flags": { type: "string", default: "" },
      json: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new TypeError("--rounds must be a whole number from 1 up");
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 600)) throw new TypeError("--seconds must be a number above 0, at most 600");
  const asked = values.only.split(",");
  const unknown = asked.find((name) => !TARGET_NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new TypeError(`--only does not know ${JSON.stringify(unknown)}`);
  const only = TARGET_NAMES.filter((name) => asked.includes(name));
  const nodeFlags = values["node-flags"].split(" ").filter(Boolean);
  return { rounds, seconds, only, nodeFlags, json: values.json };
}
