import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

const STOP_MS = 5000;
const START_MS = 30_000;

/** Whether processes can be kept to a core of their own: what is measured on core 0, load and upstream on core 1. */
export const CAN_PIN: boolean = availableParallelism() > 1 && spawnSync("taskset", ["-V"]).status === 0;

/** Which core a child runs on, when they can be chosen. */
export type Core = "measured" | "load";

/** Starts a program on its core. It has a channel for messages when it is a Node. */
export function start(core: Core, command: string, args: readonly string[]): ChildProcess {
  const pin = ["-c", core === "measured" ? "0" : "1", command];
  const [program = command, ...before] = CAN_PIN ? ["taskset", ...pin] : [command];
  const child = spawn(program, [...before, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  child.stdout?.resume();
  child.stderr?.setEncoding("utf8");
  return child;
}

/** Starts a script of this folder in its own Node. */
export function startScript(core: Core, file: string, args: readonly string[] = []): ChildProcess {
  return start(core, process.execPath, [join(import.meta.dirname, file), ...args]);
}

/** The next message of a child; rejects with what it printed when it ends first. */
export function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const onData = (text: string): void => void (printed += text);
    const onExit = (code: number | null): void => reject(new Error(`a process ended with status ${code}: ${printed}`));
    child.stderr?.on("data", onData);
    child.once("exit", onExit);
    child.once("error", reject);
    child.once("message", (message) => {
      child.stderr?.off("data", onData);
      child.off("exit", onExit);
      child.off("error", reject);
      resolve(message as T);
    });
  });
}

/** Waits until `url` answers at all; says after half a minute that it does not. */
export async function answering(url: string): Promise<void> {
  const endMs = performance.now() + START_MS;
  for (;;) {
    try {
      const response = await fetch(url);
      await response.arrayBuffer();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw new Error(`${url} does not answer`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Ends a child, with force when it does not end by itself. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
