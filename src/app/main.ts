import { BENCH, runBench } from "./bench/command.ts";
import { commandHelp, type CommandSpec, type Invocation, parseCommand, programHelp, UsageError } from "./cli.ts";
import { ESTIMATE, runEstimate } from "./estimate/command.ts";
import { MODELS, runModels } from "./models/command.ts";
import { REPLAY, runReplay } from "./replay.ts";
import { runServe, SERVE } from "./serve.ts";
import { VERSION } from "./version.ts";

interface Command {
  readonly spec: CommandSpec;
  /** Resolves to the exit status. */
  readonly run: (invocation: Invocation) => Promise<number>;
}

const COMMANDS: readonly Command[] = [
  { spec: SERVE, run: runServe },
  { spec: REPLAY, run: runReplay },
  { spec: BENCH, run: runBench },
  { spec: ESTIMATE, run: runEstimate },
  { spec: MODELS, run: runModels },
];

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version") {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const help = programHelp(
    VERSION,
    COMMANDS.map(({ spec }) => spec),
  );
  if (name === undefined || name === "--help" || name === "help") {
    process.stdout.write(help);
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find(({ spec }) => spec.name === name);
  if (command === undefined) throw new UsageError(`There is no command \`${name}\`.\n\n${help}`);
  const invocation = parseCommand(command.spec, rest);
  if (invocation.values["help"] === true) {
    process.stdout.write(commandHelp(command.spec));
    return 0;
  }
  return command.run(invocation);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`baseload: ${error instanceof Error ? error.message : String(error)}\n`);
  if (!isUsage && process.env["BASELOAD_DEBUG"] !== undefined && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
