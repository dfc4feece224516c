import { createReadStream } from "node:fs";
import { appendFile, readFile, truncate } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Shelf, ShelfKey } from "../../ports/shelf.ts";
import { type BatchLine, isBatchLine, type LineProblem, parseBatchLine } from "../../wire/batch.ts";
import { isObject, textOf } from "../../wire/json.ts";
import { jsonOf } from "../../wire/reading.ts";

/** A line of a batch's input with its number, counted from 1. */
export interface NumberedLine {
  readonly number: number;
  readonly line: BatchLine | LineProblem;
}

/** The lines of an input, one after the other; empty ones are left out. */
export async function* readLines(path: string, endpointPath: string): AsyncGenerator<NumberedLine> {
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number += 1;
    if (text.trim() !== "") yield { number, line: parseBatchLine(text, endpointPath) };
  }
}

/** What an input holds: how many requests, or what is wrong with it. */
export async function checkInput(
  path: string,
  of: { readonly endpointPath: string; readonly maxRequests: number },
): Promise<{ readonly total: number; readonly problems: readonly (LineProblem & { readonly line: number })[] }> {
  const problems: (LineProblem & { line: number })[] = [];
  const seen = new Set<string>();
  for await (const { number, line } of readLines(path, of.endpointPath)) {
    if (problems.length >= MAX_PROBLEMS) break;
    if (!isBatchLine(line)) problems.push({ ...line, line: number });
    else if (seen.has(line.customId)) {
      const message = "The `custom_id` was used by an earlier line.";
      problems.push({ code: "duplicate_custom_id", message, param: "custom_id", line: number });
    } else seen.add(line.customId);
    if (seen.size <= of.maxRequests) continue;
    const message = `A batch has at most ${of.maxRequests} requests.`;
    problems.push({ code: "too_many_requests", message, param: null, line: number });
    break;
  }
  if (problems.length === 0 && seen.size === 0) {
    problems.push({ code: "empty_file", message: "The file has no requests.", param: null, line: 0 });
  }
  return { total: seen.size, problems };
}

const MAX_PROBLEMS = 100;

/** One of a batch's results while it is being made: lines that are only ever added. Owned by its batch's run. */
export class Results {
  readonly #path: string;
  #writes: Promise<void> = Promise.resolve();
  count = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Goes on with what an earlier run wrote; a last line that was cut short is dropped. `done` learns the ids of the others. */
  static async open(path: string, done: Set<string>): Promise<Results> {
    const results = new Results(path);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (bytes === null) return results;
    const end = bytes.lastIndexOf("\n") + 1;
    if (end < bytes.length) await truncate(path, end);
    for (const text of bytes.toString("utf8", 0, end).split("\n")) {
      const value = jsonOf(text);
      const id = isObject(value) ? textOf(value["custom_id"]) : null;
      if (id === null) continue;
      done.add(id);
      results.count += 1;
    }
    return results;
  }

  /** Adds a line; rejects when it cannot be written. */
  async add(line: string): Promise<void> {
    const write = this.#writes.then(() => appendFile(this.#path, line, { mode: 0o600 }));
    // Whoever added the line hears of its failure; the next line is tried all the same.
    this.#writes = write.catch(() => {});
    await write;
    this.count += 1;
  }

  /** Makes the results the content of a file, unless there are none; says whether it did. */
  async publish(shelf: Shelf, key: ShelfKey): Promise<boolean> {
    if (this.count === 0) return false;
    await this.#writes;
    await shelf.keep(key, this.#path);
    return true;
  }
}
