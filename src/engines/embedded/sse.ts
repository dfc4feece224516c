/** Server-sent events on a node:http response. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { printSse } from "../../wire/sse.ts";

/** One stream of events. Owned by the request that it answers. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  /** `signal` aborts when the client has gone; sending then rejects with its reason. Nothing is written yet. */
  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
  }

  /** Whether the headers have gone out, after which an error can no longer be a status. */
  get opened(): boolean {
    return this.#response.headersSent;
  }

  /** Sends `data` as one event's JSON, and waits while the client reads more slowly than the model writes. */
  async send(data: object): Promise<void> {
    await this.#write(printSse(data));
  }

  /** Sends OpenAI's end mark and ends the response. */
  async finish(): Promise<void> {
    await this.#write("data: [DONE]\n\n");
    this.#response.end();
  }

  /** Ends the response with an error event and without the end mark, so that nobody takes the answer for whole. */
  fail(envelope: object): void {
    this.#response.end(printSse(envelope));
  }

  async #write(text: string): Promise<void> {
    this.#signal.throwIfAborted();
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
      });
    }
    if (!this.#response.write(text)) await once(this.#response, "drain", { signal: this.#signal });
  }
}
