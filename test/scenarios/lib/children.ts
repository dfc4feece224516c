import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../scripts/serve-for.ts";

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to run. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** In a process group of its own, as a shell gives to what it starts, so that a signal can be sent to all of it. */
  readonly ownGroup?: boolean;
}

/** Scores of processes of the same program are started; what Node has compiled for one serves the others. */
const NODE_COMPILE_CACHE = join(tmpdir(), "baseload-scenarios-compile-cache");

/** Everything that was started and has not ended, so that nothing outlives the tests, whatever becomes of them. */
const running = new Set<Child>();

process.on("exit", () => {
  for (const child of running) child.signal("SIGKILL");
});
// A test runner that gives up sends a signal, after which there is no `exit` unless it is asked for.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

/** A child process whose output is kept. `await using` kills it where it still runs. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ownGroup: boolean;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor({ command, args, env, ownGroup = false }: Program) {
    this.#ownGroup = ownGroup;
    this.#process = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, NODE_COMPILE_CACHE, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: ownGroup,
    });
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.#process.once("error", (error) => {
        running.delete(this);
        this.stderr += error.message;
        resolve({ code: null, signal: null });
      });
      this.#process.once("close", (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Everything it has printed, on both streams. */
  get output(): string {
    return this.stdout + this.stderr;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends a signal: to its whole group where it has one of its own, as a terminal does. */
  signal(name: NodeJS.Signals): void {
    try {
      process.kill(this.#ownGroup ? -this.pid : this.pid, name);
    } catch {
      // It has ended already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning || this.#ownGroup) this.signal("SIGKILL");
    await this.ended;
  }
}

/** Generous: nothing that is run to its end takes seconds. */
const RUN_MS = 30_000;

/** Runs `baseload` with these arguments to its end; one that does not come to it is killed. */
export async function runBaseload(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended & { readonly stdout: string; readonly stderr: string; readonly output: string }> {
  await using child = new Child({ command: process.execPath, args: ["bin/baseload.mjs", ...args], env });
  const timer = setTimeout(() => child.signal("SIGKILL"), RUN_MS);
  const { code, signal } = await child.ended;
  clearTimeout(timer);
  return { code, signal, stdout: child.stdout, stderr: child.stderr, output: child.output };
}
