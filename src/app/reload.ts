import type { Running } from "./compose.ts";
import { ConfigError, type LoadedConfig } from "./config/load.ts";
import type { FleetChanged } from "./engine-fleet.ts";
import { FileWatch } from "./file-watch.ts";
import { needRestart } from "./service.ts";

/** What a reloader works with. */
export interface ReloaderParts {
  /** The configuration file and the text it had at the start. */
  readonly file: string;
  readonly text: string;
  /** Makes a configuration of a text, by the command line's options too; throws `ConfigError`. */
  readonly read: (text: string) => LoadedConfig;
  readonly running: Pick<Running, "config" | "reload" | "warn">;
  /** Lines for the operator: what is allowed and probably not meant, and what is wrong. */
  readonly log: (line: string) => void;
  /** A configuration is in force. */
  readonly done: (changed: FleetChanged) => void;
}

/** Takes the configuration file up again when it changes, or when it is told to. Owns the watch on the file. */
export class Reloader {
  readonly #parts: ReloaderParts;
  readonly #watch: FileWatch;
  #latest = 0;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#watch = new FileWatch(parts.file, parts.text, {
      changed: (text) => void this.#take(text),
      trouble: (words) => this.#refuse(words),
    });
  }

  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  /** Reads the file and the secrets that it names again, changed or not. */
  now(): void {
    this.#watch.now();
  }

  async #take(text: string): Promise<void> {
    const { running, read, log, done } = this.#parts;
    const turn = (this.#latest += 1);
    try {
      const { config, warnings } = read(text);
      const waits = needRestart(config, running.config);
      const changed = await running.reload(config);
      for (const line of [...warnings, ...waits]) log(line);
      // A later file has its own say.
      if (turn === this.#latest) running.warn(waits);
      done(changed);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      this.#refuse(words, { isLatest: turn === this.#latest, isList: error instanceof ConfigError });
    }
  }

  #refuse(words: string, about = { isLatest: true, isList: false }): void {
    const { running, log } = this.#parts;
    log(`The configuration stays as it was, since the file cannot be taken:\n${words}`);
    const lines = about.isList ? words.split("\n") : [words];
    if (about.isLatest) running.warn(lines.map((line) => `the configuration was not reloaded: ${line}`));
  }
}
