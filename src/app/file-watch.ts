import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";

/** Who hears of a file. */
export interface FileListener {
  /** The file holds another text than when it was last read. */
  readonly changed: (text: string) => void;
  /** The file cannot be watched or read, in words. */
  readonly trouble: (words: string) => void;
}

// Editors and tools write a file in several steps; what is the same at two looks this far apart is what they meant.
const SETTLE_MS = 150;

/**
 * Watches one file for another text. It is the folder that is watched, since many editors put a new file in the old one's
 * place, and Kubernetes turns a link beside it. Owns its watcher and timer.
 */
export class FileWatch {
  readonly #path: string;
  readonly #listener: FileListener;
  #text: string | null;
  /** What was seen at the last look and not told of yet; null is a file that is away, undefined nothing new. */
  #seen: string | null | undefined;
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
    this.#timer = null;
  }

  /** Reads the file now, and tells of it whether it changed or not. */
  now(): void {
    const text = this.#read();
    this.#tell(typeof text === "string" ? text : null, text);
  }

  /** The folder may hold a journal that grows all the time, so further changes in it do not put the look off. */
  #soon(): void {
    this.#timer ??= setTimeout(() => this.#look(), SETTLE_MS);
  }

  #look(): void {
    this.#timer = null;
    const read = this.#read();
    const text = typeof read === "string" ? read : null;
    if (text === this.#text) this.#seen = undefined;
    else if (text === this.#seen) this.#tell(text, read);
    else {
      this.#seen = text;
      this.#soon();
    }
  }

  #tell(text: string | null, read: string | Error): void {
    this.#text = text;
    this.#seen = undefined;
    if (typeof read === "string") this.#listener.changed(read);
    else this.#listener.trouble(`${this.#path} cannot be read: ${read.message}`);
  }

  #read(): string | Error {
    try {
      return readFileSync(this.#path, "utf8");
    } catch (error) {
      return error as Error;
    }
  }
}
