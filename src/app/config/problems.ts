import { say } from "./say.ts";

/** Where in the file's tree: keys and array indices from the root. */
export type Path = readonly PropertyKey[];

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something wrong at a path, before its line is known. `position` is given where there is no path, as for syntax errors. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly remedy: string;
  readonly position?: Position;
}

/** One thing wrong with a configuration file. Never holds a value from the file, so that it never holds a secret. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Such as `backends.cloud.url`; empty at the file's root. */
  readonly path: string;
  /** What is wrong. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Raised for a configuration file that cannot be used, with everything that is wrong with it. Its message is the printed list. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(formatProblems(problems));
    this.problems = problems;
  }
}

/** One line a problem: `baseload.yaml:12:5: backends.cloud.url: what is wrong → what to do`. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems.map(formatProblem).join("\n");
}

function formatProblem({ file, line, column, path, message, remedy }: ConfigProblem): string {
  const where = path === "" ? "" : `${path}: `;
  return `${file}:${line}:${column}: ${where}${say(message, remedy)}`;
}

/** A path as people write it: `tenants.acme.keys[0].name`. Parts that may be a misplaced secret are left out. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += (text === "" ? "" : ".") + shown(String(part));
  }
  return text;
}

/** Whether a text looks like a key itself rather than a name: a vendor's prefix, or a long run of letters and digits. */
export function looksSecret(text: string): boolean {
  if (/^(sk|pk|rk|gsk|hf|xai|nvapi|key|bearer|basic)[-_ ].*[A-Za-z0-9]{12}/i.test(text)) return true;
  const runs = text.match(/[A-Za-z0-9]{20,}/g) ?? [];
  return runs.some((run) => /\d/.test(run) && /[A-Za-z]/.test(run));
}

/** A name from the file as it may be printed. */
export function shown(name: string): string {
  return looksSecret(name) || name.length > 80 ? "(hidden)" : name;
}
