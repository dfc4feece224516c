/** Complete server-sent events: `run` holds them back to back, `ends[i]` is where event i ends in it. */
export interface SseRun {
  readonly run: Buffer;
  readonly ends: readonly number[];
}

const LF = 10;
const CR = 13;
const EMPTY: SseRun = { run: Buffer.alloc(0), ends: [] };

/**
 * Cuts a stream of bytes into whole server-sent events without copying where a chunk holds whole events (WHATWG HTML,
 * "Server-sent events"; line ends LF or CRLF). Owned by one stream.
 */
export class SseSplitter {
  #rest: Buffer | null = null;

  /** Bytes of an event that is not yet complete. */
  get restBytes(): number {
    return this.#rest?.length ?? 0;
  }

  /**
   * What is left at the end of the bytes, as a last event. The standard drops an event without its blank line; engines that
   * forget the one after `[DONE]` are common enough to take it.
   */
  end(): SseRun {
    const rest = this.#rest;
    this.#rest = null;
    if (rest === null) return EMPTY;
    const run = Buffer.concat([rest, Buffer.from("\n\n")]);
    return { run, ends: [run.length] };
  }

  push(chunk: Buffer): SseRun {
    const rest = this.#rest;
    const all = rest === null ? chunk : Buffer.concat([rest, chunk]);
    // A boundary may straddle the two, so the search goes back as far as a boundary is long.
    const from = rest === null ? 0 : Math.max(0, rest.length - 3);
    const ends = boundaries(all, from);
    const last = ends[ends.length - 1];
    if (last === undefined) {
      this.#rest = all;
      return EMPTY;
    }
    this.#rest = last === all.length ? null : all.subarray(last);
    return { run: last === all.length ? all : all.subarray(0, last), ends };
  }
}

function boundaries(bytes: Buffer, from: number): number[] {
  const ends: number[] = [];
  let at = bytes.indexOf(LF, from);
  while (at !== -1) {
    const next = bytes[at + 1];
    if (next === LF) {
      at += 1;
      ends.push(at + 1);
    } else if (next === CR && bytes[at + 2] === LF) {
      at += 2;
      ends.push(at + 1);
    }
    at = bytes.indexOf(LF, at + 1);
  }
  return ends;
}

/** The `data` of one event (lines joined by a newline), or null when it has none, like a comment. */
export function sseData(run: Buffer, start: number, end: number): string | null {
  // Nearly every event is one line that begins with "data: " and ends with two newlines.
  if (beginsWithData(run, start)) {
    const lineEnd = run.indexOf(LF, start);
    if (lineEnd === end - 2 && run[lineEnd - 1] !== CR) return run.toString("utf8", start + 6, lineEnd);
  }
  return generalData(run.toString("utf8", start, end));
}

// Byte by byte, since a string would have to be made to be compared; "date: " is another field.
function beginsWithData(run: Buffer, at: number): boolean {
  if (run[at] !== 0x64 || run[at + 1] !== 0x61 || run[at + 2] !== 0x74 || run[at + 3] !== 0x61) return false;
  return run[at + 4] === 0x3a && run[at + 5] === 0x20;
}

function generalData(event: string): string | null {
  const data: string[] = [];
  for (const line of event.split(/\r\n|\n|\r/)) {
    if (line === "data") data.push("");
    else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
  }
  return data.length === 0 ? null : data.join("\n");
}

/** One event with this data as JSON, and with a name where its API gives its events names. */
export function printSse(data: unknown, name: string | null = null): string {
  return `${name === null ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** The event that ends an OpenAI stream. */
export const SSE_DONE: Buffer = Buffer.from("data: [DONE]\n\n");
