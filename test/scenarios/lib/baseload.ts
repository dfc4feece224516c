import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../gateway-suite/check.ts";
import { Child, type Ended } from "./children.ts";

/** How to serve. */
export interface Launch {
  /** The text of a baseload.yaml; without it the embedded tiny model is served. */
  readonly config?: string;
  /** The path of a baseload.yaml that the test itself writes, in place of `config`. */
  readonly configPath?: string;
  readonly args?: readonly string[];
  /** The launcher; the repository's own unless given. */
  readonly bin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where state is kept; a folder of its own, removed at the end, unless given. */
  readonly dataDir?: string;
  /** A free one unless given. */
  readonly port?: number;
  readonly ownGroup?: boolean;
}

const BIN = "bin/baseload.mjs";
/** Generous: the machine may be busy with other tests. */
const START_MS = 30_000;
const END_MS = 30_000;
const ADDRESS = /https?:\/\/127\.0\.0\.1:(\d+)/;

/** A folder that `await using` removes. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "baseload-scenario-"));

  /** Writes a file in it and returns its path. */
  write(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A running `baseload serve` in a process of its own. `await using` ends it and removes its folder. */
export class Baseload implements AsyncDisposable {
  readonly child: Child;
  readonly dataDir: string;
  readonly #folder: Folder;
  #port = 0;

  private constructor(launch: Launch) {
    this.#folder = new Folder();
    this.dataDir = launch.dataDir ?? join(this.#folder.path, "data");
    const args = [launch.bin ?? BIN, "serve"];
    if (launch.configPath !== undefined) args.push(launch.configPath);
    else if (launch.config !== undefined) args.push(this.#folder.write("baseload.yaml", launch.config));
    args.push("--port", String(launch.port ?? 0), "--data-dir", this.dataDir, ...(launch.args ?? []));
    const { env = {}, ownGroup = false } = launch;
    this.child = new Child({ command: process.execPath, args, env, ownGroup });
  }

  /** Starts it and waits until it listens. */
  static async start(launch: Launch = {}): Promise<Baseload> {
    const server = new Baseload(launch);
    try {
      await server.#listening();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  /** As in `http://127.0.0.1:PORT`. */
  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The URL for SDKs and for other Baseloads, ending in `/v1`. */
  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Everything it has printed. */
  get output(): string {
    return this.child.output;
  }

  /** Puts another configuration file in the place of the first, as editors do: written beside it and renamed. */
  rewrite(config: string): void {
    renameSync(this.#folder.write(".baseload.yaml.new", config), join(this.#folder.path, "baseload.yaml"));
  }

  /** Waits until it has said so many times that a configuration is in force. */
  async reloaded(times = 1): Promise<void> {
    await this.printed(new RegExp(`(?:is in force: [^]*){${times}}`));
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.child.signal(signal);
    return this.ended();
  }

  /** Waits for the end. */
  async ended(): Promise<Ended> {
    await until(() => Promise.resolve(this.child.isRunning ? undefined : true), {
      withinMs: END_MS,
      orElse: `baseload serve did not end; it printed:\n${this.output}`,
    });
    return this.child.ended;
  }

  /** Waits until it has printed something that the pattern finds. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return until(() => Promise.resolve(pattern.exec(this.output) ?? undefined), {
      withinMs: START_MS,
      orElse: `baseload serve never printed ${String(pattern)}; it printed:\n${this.output}`,
    });
  }

  async #listening(): Promise<void> {
    const found = await until(
      () => {
        const address = ADDRESS.exec(this.child.stdout);
        if (address === null && !this.child.isRunning)
          throw new Error(`baseload serve ended at once; it printed:\n${this.output}`);
        return Promise.resolve(address ?? undefined);
      },
      { withinMs: START_MS, orElse: "baseload serve printed no address" },
    );
    this.#port = Number(found[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}
