import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";

/** One event of a stream: its data lines joined by line feeds, and its name where it has one. */
export interface SseEvent {
  readonly data: string;
  readonly event?: string;
}

/** Reads server-sent events from bytes as the standard says: LF, CR and CRLF, comments, UTF-8 split anywhere. */
export class SseReader {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #line = "";
  #afterCr = false;
  #data: string[] = [];
  #event: string | undefined;
  /** Comment lines seen so far. */
  comments = 0;

  /** Takes bytes and returns the events that they complete. Throws on bytes that are not UTF-8. */
  push(bytes: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    const text = this.#decoder.decode(bytes, { stream: true });
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const char = text[at];
      const wasCr = this.#afterCr;
      this.#afterCr = char === "\r";
      if (char !== "\n" && char !== "\r") continue;
      const line = this.#line + text.slice(from, at);
      from = at + 1;
      this.#line = "";
      if (char === "\n" && wasCr) continue;
      this.#take(line, events);
    }
    this.#line += text.slice(from);
    return events;
  }

  #take(line: string, events: SseEvent[]): void {
    if (line === "") {
      if (this.#data.length > 0) {
        events.push({ data: this.#data.join("\n"), ...(this.#event === undefined ? {} : { event: this.#event }) });
      }
      this.#data = [];
      this.#event = undefined;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) this.comments += 1;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#event = value;
  }
}

/** How a response's body came to its end. */
export type Ending = "clean" | "broken";

/** The head of a response. */
export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** What to send. */
export interface Sending {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** No single wait, for the head or for the next bytes, may take longer than this. */
  readonly patienceMs: number;
}

/** Thrown when a gateway kept the client waiting for longer than its patience. */
export class OutOfPatience extends Error {
  override readonly name = "OutOfPatience";
}

/** One request on a connection of its own, read byte by byte, without any help from an SDK. */
export class Exchange {
  readonly #request: ClientRequest;
  readonly #patienceMs: number;
  readonly #response: Promise<IncomingMessage>;
  readonly #sse = new SseReader();
  readonly #queue: SseEvent[] = [];
  #reading: AsyncIterator<Buffer> | undefined;
  #ending: Ending | undefined;

  constructor(sending: Sending) {
    this.#patienceMs = sending.patienceMs;
    const body = sending.body === undefined ? undefined : Buffer.from(sending.body);
    this.#request = httpRequest(sending.url, {
      method: sending.method ?? "POST",
      agent: false,
      headers: {
        "content-type": "application/json",
        ...(body ? { "content-length": String(body.length) } : {}),
        ...sending.headers,
      },
    });
    this.#response = new Promise((resolve, reject) => {
      this.#request.once("response", resolve);
      this.#request.on("error", reject);
    });
    // A caller that leaves without asking for the head does not want its error either.
    this.#response.catch(() => {});
    this.#request.end(body);
  }

  /** Status and headers, when they arrive. */
  async head(): Promise<Head> {
    const response = await this.#within(this.#response, "the response's headers");
    return { status: response.statusCode ?? 0, headers: response.headers };
  }

  /** How the body ended, or undefined while it has not. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Comment lines seen in the stream so far. */
  get comments(): number {
    return this.#sse.comments;
  }

  /** The next event of a stream, or undefined at its end. */
  async nextEvent(): Promise<SseEvent | undefined> {
    while (this.#queue.length === 0) {
      const bytes = await this.#nextBytes("the next event");
      if (!bytes) return undefined;
      this.#queue.push(...this.#sse.push(bytes));
    }
    return this.#queue.shift();
  }

  /** The rest of the body as text. A broken connection shows in `ending`, not as an error. */
  async text(): Promise<string> {
    const parts: Buffer[] = [];
    for (let bytes = await this.#nextBytes("the body"); bytes; bytes = await this.#nextBytes("the body"))
      parts.push(bytes);
    return Buffer.concat(parts).toString("utf8");
  }

  /** Breaks the connection, as a client that leaves does. */
  destroy(): void {
    this.#request.destroy();
  }

  async #nextBytes(what: string): Promise<Buffer | undefined> {
    if (this.#ending) return undefined;
    const response = await this.#within(this.#response, what);
    this.#reading ??= response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      const next = await this.#within(this.#reading.next(), what);
      if (!next.done) return next.value;
      this.#ending = response.complete ? "clean" : "broken";
    } catch (error) {
      if (error instanceof OutOfPatience) throw error;
      this.#ending = "broken";
    }
    return undefined;
  }

  async #within<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.destroy();
        reject(new OutOfPatience(`waited ${this.#patienceMs} ms for ${what}`));
      }, this.#patienceMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
