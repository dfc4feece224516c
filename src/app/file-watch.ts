import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";

/** Who hears of a file. */
export interface FileListener {
  /** The file holds another text than when it was last read. */
  readonly changed: (text: string) => void;
  /** The file cannot be watched or read, in words. */
  readonly trouble: (words: string) => void;
}

// Editors and tools write a file in several steps; what they leave after this long is what they meant.
const SETTLE_MS = 250;

/**
 * Watches one file for another text. It is the folder that is watched, since many editors put a new file in the old one's
 * place, and Kubernetes turns a link beside it. Owns its watcher and timer.
 */
export class FileWatch {
  readonly #path: string;
  readonly #listener: FileListener;
  #text: string | null;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** `text` is what was read last, or null when nothing was. */
  constructor(path: string, text: string | null, listener: FileListener) {
    this.#path = path;
    this.#text = text;
    this.#listener = listener;
  }

  start(): void {
    try {
      this.#watcher = watch(dirname(this.#path), () => this.#soon());
      this.#watcher.on("error", (error) =>
        this.#listener.trouble(`${this.#path} is watched no more: ${error.message}`),
      );
    } catch (error) {
      this.#listener.trouble(`${this.#path} cannot be watched: ${(error as Error).message}`);
      return;
    }
    // It may have changed since it was read.
    this.#soon();
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Reads the file now, and tells of it whether it changed or not. */
  now(): void {
    this.#read(true);
  }

  #soon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(false), SETTLE_MS);
  }

  #read(always: boolean): void {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      // Other files of the folder change too; one that stays away is told of once.
      if (always || this.#text !== null)
        this.#listener.trouble(`${this.#path} cannot be read: ${(error as Error).message}`);
      this.#text = null;
      return;
    }
    if (text === this.#text && !always) return;
    this.#text = text;
    this.#listener.changed(text);
  }
}
