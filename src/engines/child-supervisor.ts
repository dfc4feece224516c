/** Keeps an engine's child process alive from the parent: starts it, says how it is, starts it again, ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assert } from "../base/assert.ts";

/** `starting` while the model loads, `ready` while it answers, `down` from a crash until the next start, and after `close`. */
export type EngineState = "starting" | "ready" | "down";

/**
 * What a child says over IPC. `ready` and `failed` are said once, about its start; after `failed` it exits with status 1. `spawned`
 * names a process of its own that must not outlive it.
 */
export type ChildMessage<Info> =
  | { readonly kind: "ready"; readonly info: Info }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "spawned"; readonly pid: number };

/** What is run as the child. */
export interface ChildProgram {
  /** The module that Node runs. It ends itself when its IPC channel closes, which is how the parent's death is seen. */
  readonly module: URL;
  /** The module's only argument. */
  readonly argument: (socketPath: string) => string;
  /** What its environment has besides the parent's. */
  readonly environment: Readonly<Record<string, string>>;
  /** What it loads, in words. */
  readonly loads: string;
}

/** How a child is kept. */
export interface SupervisorOptions {
  /** A directory for the socket, made for this user only if missing. If others can enter it, a private one is made inside. */
  readonly socketDir: string;
  /** Called at each change of state, with the reason in words. */
  readonly onState?: (state: EngineState, reason: string) => void;
  /** Called with each line that the child writes. Without it they are dropped. */
  readonly onLog?: (line: string) => void;
}

/** Linux allows 107 bytes in a socket's path and macOS 103. */
const SOCKET_PATH_BYTES_MAX = 103;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A child that lived this long was healthy, and its next crash counts as the first. */
const HEALTHY_AFTER_MS = 30_000;
/** What a child gets to end by itself before it is killed. */
const TERMINATE_GRACE_MS = 2_000;

/** Makes names of sockets distinct among the engines of one process. */
let engineCount = 0;

/**
 * One engine's child process, which serves HTTP on a private socket. Owned by its engine, which calls `start` once and `close` at
 * the end. While the child is down, connections to `socketPath` are refused or cut; retrying them is not decided here.
 */
export class ChildSupervisor<Info> {
  /** Where the child serves HTTP: a Unix socket, or a named pipe on Windows. The same after every restart. */
  readonly socketPath: string;
  readonly #program: ChildProgram;
  readonly #options: SupervisorOptions;
  readonly #temporaryDir: string | null;
  #child: ChildProcess | null = null;
  /** The process that the child has started, or null. */
  #grandchild: number | null = null;
  #state: EngineState = "down";
  #started = false;
  #closing = false;
  #backoffMs = BACKOFF_FIRST_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  #healthTimer: NodeJS.Timeout | undefined;

  /** Makes the socket's directory, and no process yet. Throws the file system's error. */
  constructor(program: ChildProgram, options: SupervisorOptions) {
    const place = placeSocket(options.socketDir);
    this.#program = program;
    this.#options = options;
    this.socketPath = place.socketPath;
    this.#temporaryDir = place.temporaryDir;
  }

  /** What the child is doing now. */
  get state(): EngineState {
    return this.#state;
  }

  /** The child's process id, or null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * Starts the child and waits for its model. Rejects with a message for the person who chose the model if the first load
   * fails; nothing is left running then. After that a child that ends is started again until `close`.
   */
  async start(): Promise<Info> {
    assert(!this.#started && !this.#closing, "an engine is started once");
    this.#started = true;
    try {
      return await this.#launch();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends the child, and resolves when it has gone and its socket is removed. Requests in it are cut. May be called again. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#healthTimer);
    if (this.#child !== null) await terminate(this.#child);
    this.#removeSocket();
    if (this.#temporaryDir !== null) rmSync(this.#temporaryDir, { recursive: true, force: true });
    if (this.#state !== "down") this.#enter("down", "closed");
  }

  /** Forks a child; resolves when its model is loaded, rejects when that fails or the child ends before. */
  async #launch(): Promise<Info> {
    this.#removeSocket();
    this.#enter("starting", `loading ${this.#program.loads}`);
    const child = forkChild(this.#program, this.socketPath, this.#options.onLog);
    this.#child = child;
    return new Promise((accept, reject) => {
      let failure: string | null = null;
      child.on("message", (message: ChildMessage<Info>) => {
        if (message.kind === "spawned") this.#grandchild = message.pid;
        if (message.kind === "failed") failure = message.message;
        if (message.kind !== "ready" || this.#closing) return;
        this.#healthTimer = setTimeout(() => {
          this.#backoffMs = BACKOFF_FIRST_MS;
        }, HEALTHY_AFTER_MS);
        this.#healthTimer.unref();
        this.#enter("ready", `serving ${this.#program.loads}`);
        accept(message.info);
      });
      let ended = false;
      const onEnd = (reason: string): void => {
        // A child that could not be started reports an error, and some then report an exit too.
        if (ended) return;
        ended = true;
        this.#child = null;
        clearTimeout(this.#healthTimer);
        // One that ends by itself has ended what it started before; one that was killed could not.
        if (child.signalCode !== null && this.#grandchild !== null) kill(this.#grandchild);
        this.#grandchild = null;
        const wasReady = this.#state === "ready";
        this.#enter("down", failure ?? reason);
        reject(new Error(failure ?? reason));
        // One that was never ready is the business of whoever waits for this promise.
        if (wasReady) this.#restartLater();
      };
      child.once("error", (error) => onEnd(`the engine's process failed: ${error.message}`));
      child.once("exit", (code, signal) => onEnd(`the engine's process ended with ${signal ?? `status ${code}`}`));
    });
  }

  #restartLater(): void {
    if (this.#closing) return;
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MAX_MS);
    this.#restartTimer = setTimeout(() => {
      // Its reason was already told with the state `down`.
      this.#launch().catch(() => this.#restartLater());
    }, waitMs);
  }

  #enter(state: EngineState, reason: string): void {
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  #removeSocket(): void {
    if (process.platform !== "win32") rmSync(this.socketPath, { force: true });
  }
}

function forkChild(program: ChildProgram, socketPath: string, onLog: SupervisorOptions["onLog"]): ChildProcess {
  const output = onLog === undefined ? "ignore" : "pipe";
  const child = fork(fileURLToPath(program.module), [program.argument(socketPath)], {
    execArgv: [],
    env: { ...process.env, ...program.environment },
    stdio: ["ignore", output, output, "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null && onLog !== undefined) createInterface({ input: stream }).on("line", onLog);
  }
  return child;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended already.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Asks `child` to end, then makes it. Resolves when it has. */
function terminate(child: ChildProcess): Promise<void> {
  return new Promise((accept) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return accept();
    const killTimer = setTimeout(() => child.kill("SIGKILL"), TERMINATE_GRACE_MS);
    child.once("exit", () => {
      clearTimeout(killTimer);
      accept();
    });
    child.kill("SIGTERM");
  });
}

/**
 * Chooses the socket's path in `dir`. Where others could enter that directory, or the path would be too long for a socket, a
 * fresh private directory is made instead, in `dir` or in the system's place for temporary files.
 */
function placeSocket(dir: string): { socketPath: string; temporaryDir: string | null } {
  const name = `engine-${process.pid}-${++engineCount}`;
  if (process.platform === "win32") return { socketPath: `\\\\.\\pipe\\baseload-${name}`, temporaryDir: null };
  const file = `${name}.sock`;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (fits(join(dir, file)) && (statSync(dir).mode & 0o077) === 0)
    return { socketPath: join(dir, file), temporaryDir: null };
  // `mkdtemp` makes directories for this user only, and adds six characters to the prefix.
  const parent = fits(join(dir, "baseload-123456", file)) ? dir : tmpdir();
  const temporaryDir = mkdtempSync(join(parent, "baseload-"));
  const socketPath = join(temporaryDir, file);
  assert(fits(socketPath), `the directory for temporary files has too long a path for a socket: ${socketPath}`);
  return { socketPath, temporaryDir };
}

function fits(socketPath: string): boolean {
  return Buffer.byteLength(socketPath) <= SOCKET_PATH_BYTES_MAX;
}
