import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The repository's root. */
export const ROOT = join(import.meta.dirname, "..");

const START_MS = 60_000;
const STOP_MS = 10_000;
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+/;

/** A Baseload that runs for a check. `await using` stops it. */
export interface Served extends AsyncDisposable {
  /** As in `http://127.0.0.1:PORT`, without `/v1`. */
  readonly url: string;
  /** Everything it has printed so far. */
  output(): string;
}

/**
 * Starts `baseload serve` on a free port of loopback with a data directory of its own, and waits until it prints its
 * address. `args` are added to the command line, such as a configuration file.
 */
export async function serveFor(args: readonly string[] = []): Promise<Served> {
  const dataDir = mkdtempSync(join(tmpdir(), "baseload-serve-"));
  const command = ["bin/baseload.mjs", "serve", "--port", "0", "--data-dir", dataDir, ...args];
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  }
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const url = await address(child, () => output);
    return { url, output: () => output, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address that the child prints, once it prints it. */
function address(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`baseload serve ${why}; it printed:\n${output()}`));
    };
    const timer = setTimeout(() => fail(`printed no address in ${START_MS / 1000} s`), START_MS);
    const look = (): void => {
      const found = ADDRESS.exec(output());
      if (found === null) return;
      clearTimeout(timer);
      resolve(found[0]);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("error", (error) => fail(`did not start: ${error.message}`));
    child.once("exit", (code) => fail(`ended with status ${code}`));
  });
}

/** Asks the child to stop, and makes it when it does not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
