import { parseArgs } from "node:util";

/** One option of a command. */
export interface OptionSpec {
  readonly name: string;
  /** The value's placeholder, or null for a switch. */
  readonly value: string | null;
  readonly text: string;
}

/** One command of the command line. */
export interface CommandSpec {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
}

/** A command line that was understood. */
export interface Invocation {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** Wrong usage: the program prints it and ends with status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const HELP: OptionSpec = { name: "help", value: null, text: "show this help" };

/** Parses `args` by the command's options; throws `UsageError`. */
export function parseCommand(command: CommandSpec, args: readonly string[]): Invocation {
  const options = Object.fromEntries(
    [...command.options, HELP].map(({ name, value }) => [
      name,
      { type: value === null ? "boolean" : "string" } as const,
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    return { values: values as Invocation["values"], positionals };
  } catch (error) {
    const words = error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error);
    throw new UsageError(`${words}. See \`baseload ${command.name} --help\`.`);
  }
}

/** The help of one command. */
export function commandHelp(command: CommandSpec): string {
  const rows = [...command.options, HELP].map(
    ({ name, value, text }) => [`--${name}${value === null ? "" : ` ${value}`}`, text] as const,
  );
  const lines = [`${command.summary}`, "", `  baseload ${command.usage}`, "", ...table(rows)];
  if (command.examples.length > 0) lines.push("", "Examples:", ...command.examples.map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

/** The help of the program. */
export function programHelp(version: string, commands: readonly CommandSpec[]): string {
  const rows = commands.map(({ usage, summary }) => [`baseload ${usage}`, summary] as const);
  return `Baseload ${version}: AI inference run as a utility.\n\n${table(rows).join("\n")}\n\nEach command has --help. Exit status: 0 done, 1 failed, 2 wrong usage.\n`;
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

/** The integer that an option gives, or null when it is absent; throws `UsageError` outside `low..high`. */
export function integerOption(
  invocation: Invocation,
  name: string,
  range: { readonly low: number; readonly high: number },
): number | null {
  const text = invocation.values[name];
  if (text === undefined) return null;
  const value = Number(text);
  if (typeof text !== "string" || !Number.isInteger(value) || value < range.low || value > range.high) {
    throw new UsageError(
      `--${name} takes a whole number from ${range.low} to ${range.high}, not ${JSON.stringify(text)}`,
    );
  }
  return value;
}

/** The text that an option gives, or null when it is absent. */
export function textOption(invocation: Invocation, name: string): string | null {
  const value = invocation.values[name];
  return typeof value === "string" ? value : null;
}
