import { createWriteStream, openSync, type WriteStream } from "node:fs";
import type { Receipt } from "../base/receipt.ts";
import type { Command } from "../kernel/command.ts";
import type { Event } from "../kernel/event.ts";
import { JournalWriter } from "../kernel/journal.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** Where the runner records what the kernel was told and what it said. */
export interface Journal {
  record(nowUs: number, event: Event, after: { readonly commands: readonly Command[]; readonly kernel: Kernel }): void;
  close(): Promise<void>;
}

const FLUSH_BYTES = 64 * 1024;
const FLUSH_EVERY_MS = 100;
// A disk slower than this much behind would otherwise fill the memory.
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** A journal in a file, written in batches. Owned by the runner; a journal that cannot be written ends with an error to `onError`. Throws in words when the file cannot be made. */
export class JournalFile implements Journal {
  readonly #writer: JournalWriter;
  readonly #stream: WriteStream;
  readonly #timer: NodeJS.Timeout;
  readonly #onError: (error: Error) => void;
  #text = "";
  #failed = false;

  constructor(path: string, onError: (error: Error) => void, print: (receipt: Receipt) => string = JSON.stringify) {
    this.#writer = new JournalWriter(print);
    this.#onError = onError;
    // A journal is one run: an older file of the name is never continued or overwritten.
    this.#stream = createWriteStream(path, { fd: openNew(path) });
    this.#stream.on("error", (error) => this.#fail(error));
    this.#timer = setInterval(() => this.#flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  record(nowUs: number, event: Event, after: { readonly commands: readonly Command[]; readonly kernel: Kernel }): void {
    if (this.#failed) return;
    this.#text += this.#writer.lines(nowUs, event, after);
    if (this.#text.length >= FLUSH_BYTES) this.#flush();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#failed) return;
    this.#text += this.#writer.digestLine();
    this.#flush();
    this.#stream.end();
    // Not `once` of node:events, which rejects on an error that `onError` has been told already.
    await new Promise((resolve) => this.#stream.once("close", resolve));
  }

  #flush(): void {
    if (this.#text === "" || this.#failed) return;
    const text = this.#text;
    this.#text = "";
    this.#stream.write(text);
    if (this.#stream.writableLength > MAX_PENDING_BYTES) this.#fail(new Error("the journal's disk is too slow"));
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#text = "";
    this.#stream.destroy();
    this.#onError(error);
  }
}

/** Opened before anything is served: whoever asked for a journal must not find out later that there is none. */
function openNew(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(
      code === "EEXIST"
        ? `the journal ${path} exists already; name another file, or move that one away`
        : `the journal cannot be written: ${message}`,
      { cause: error },
    );
  }
}
