import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { ROOT } from "./serve-for.ts";

/** How a program ended. */
export interface Ran {
  /** The exit status, or null when a signal or the time limit ended it. */
  readonly status: number | null;
  /** What it printed on both streams, in order. */
  readonly output: string;
}

/** What to run. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Print its output as it comes, too. */
  readonly echo?: boolean;
}

/** Runs a program in the repository's root, with this Node and the installed tools first on PATH. */
export function run({ command, args, env, timeoutMs, echo }: Program): Promise<Ran> {
  const tools = [join(process.execPath, ".."), join(ROOT, "node_modules", ".bin"), process.env["PATH"] ?? ""];
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: tools.join(delimiter), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (echo === true) process.stdout.write(chunk);
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ status: null, output: `${command} did not start: ${error.message}\n` }));
    child.once("close", (status, signal) => {
      const note = signal === null ? "" : `\nended by ${signal}; the time limit is ${timeoutMs / 1000} s\n`;
      resolve({ status, output: output + note });
    });
  });
}

/** Every line moved right, for output under a headline. */
export function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "    ");
}
