/** Keeps the embedded engine's child process alive from the parent: starts it, says how it is, starts it again, ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assert } from "../../base/assert.ts";
import { CHILD_ENVIRONMENT, type ChildMessage, type ChildOptions, type EngineInfo } from "./protocol.ts";

/** `starting` while the model loads, `ready` while it answers, `down` from a crash until the next start, and after `close`. */
export type EngineState = "starting" | "ready" | "down";

/** How to run an engine; what is left out has the child's defaults. */
export type EmbeddedEngineOptions = Omit<ChildOptions, "socketPath"> & {
  /** A directory for the socket, made for this user only if missing. If others can enter it, a private one is made inside. */
  readonly socketDir: string;
  /** Called at each change of state, with the reason in words. */
  readonly onState?: (state: EngineState, reason: string) => void;
  /** Called with each line that the child writes. Without it they are dropped. */
  readonly onLog?: (line: string) => void;
};

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
 * One embedded engine and its child process. Owned by the composition root, which calls `start` once and `close` at the end.
 * While the child is down, connections to `socketPath` are refused or cut; retrying them is not decided here.
 */
export class EmbeddedEngine {
  /** Where the child serves HTTP: a Unix socket, or a named pipe on Windows. The same after every restart. */
  readonly socketPath: string;
  readonly #options: EmbeddedEngineOptions;
  readonly #temporaryDir: string | null;
  #child: ChildProcess | null = null;
  #state: EngineState = "down";
  #started = false;
  #closing = false;
  #backoffMs = BACKOFF_FIRST_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  #healthTimer: NodeJS.Timeout | undefined;

  /** Makes the socket's directory, and no process yet. Throws the file system's error. */
  constructor(options: EmbeddedEngineOptions) {
    const place = placeSocket(options.socketDir);
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
  async start(): Promise<EngineInfo> {
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
  async #launch(): Promise<EngineInfo> {
    this.#removeSocket();
    this.#enter("starting", `loading ${this.#options.modelPath}`);
    const child = forkChild(this.#options, this.socketPath);
    this.#child = child;
    return new Promise((accept, reject) => {
      let failure: string | null = null;
      child.on("message", (message: ChildMessage) => {
        if (message.kind === "failed") failure = message.message;
        if (message.kind !== "ready" || this.#closing) return;
        this.#healthTimer = setTimeout(() => {
          this.#backoffMs = BACKOFF_FIRST_MS;
        }, HEALTHY_AFTER_MS);
        this.#healthTimer.unref();
        this.#enter("ready", `serving ${message.info.modelName}`);
        accept(message.info);
      });
      let ended = false;
      const onEnd = (reason: string): void => {
        // A child that could not be started reports an error, and some then report an exit too.
        if (ended) return;
        ended = true;
        this.#child = null;
        clearTimeout(this.#healthTimer);
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

function forkChild(options: EmbeddedEngineOptions, socketPath: string): ChildProcess {
  const { socketDir: _socketDir, onState: _onState, onLog, ...rest } = options;
  const childOptions: ChildOptions = { ...rest, socketPath };
  // The child has this file's extension: .ts as it is written, .js where it was compiled for a package.
  const path = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));
  const output = onLog === undefined ? "ignore" : "pipe";
  const child = fork(path, [JSON.stringify(childOptions)], {
    execArgv: [],
    env: { ...process.env, ...CHILD_ENVIRONMENT },
    stdio: ["ignore", output, output, "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null && onLog !== undefined) createInterface({ input: stream }).on("line", onLog);
  }
  return child;
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
