import type { ServerResponse } from "node:http";
import { assert } from "../base/assert.ts";
import type { Job } from "../base/job.ts";
import type { Exchange, ExchangeFailure, ExchangeOwner } from "../ports/exchange.ts";
import { errorEnvelope, relayedEnvelope } from "../wire/error.ts";
import { promptText } from "../wire/request.ts";
import { printSse } from "../wire/sse.ts";
import { type FlatHeaders, sendError, sendJson } from "./answers.ts";

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly job: Job;
  readonly body: Buffer;
  /** The parsed body. */
  readonly value: unknown;
  readonly clientRequestId: string;
  readonly res: ServerResponse;
}

/**
 * One HTTP request and its answer. Bytes are held until the kernel commits, so that a fallback is possible until then.
 * Owned by the utility until the answer has ended.
 */
export class HttpExchange implements Exchange {
  readonly job: Job;
  readonly body: Buffer;
  readonly clientRequestId: string;
  readonly #value: unknown;
  readonly #res: ServerResponse;
  #held: Buffer[] = [];
  #committed = false;
  #ended = false;
  /** The client left before the end. */
  #left = false;

  constructor(parts: ExchangeParts) {
    this.job = parts.job;
    this.body = parts.body;
    this.clientRequestId = parts.clientRequestId;
    this.#value = parts.value;
    this.#res = parts.res;
  }

  /** Tells the owner of the client from now on. */
  watch(owner: ExchangeOwner): void {
    if (this.#res.destroyed) return this.#leave(owner);
    this.#res.on("drain", () => owner.drained());
    this.#res.on("close", () => this.#leave(owner));
  }

  promptText(): string {
    return promptText(this.#value);
  }

  write(chunk: Buffer): boolean {
    if (this.#ended || this.#left) return true;
    if (this.#committed && this.job.stream) return this.#res.write(chunk);
    this.#held.push(chunk);
    return true;
  }

  discard(): void {
    assert(!this.#committed, "bytes that went out cannot be discarded");
    this.#held = [];
  }

  commit(): void {
    assert(!this.#committed, "an exchange is committed once");
    this.#committed = true;
    if (!this.job.stream || this.#ended) return;
    const headers = [
      "content-type",
      "text/event-stream; charset=utf-8",
      "cache-control",
      "no-cache",
      "x-accel-buffering",
      "no",
    ];
    this.#res.writeHead(200, [...headers, ...this.#ownHeaders()]);
    if (this.#held.length > 0) this.#res.write(this.#takeHeld());
  }

  end(): void {
    assert(this.#committed, "an answer ends after its commit");
    if (this.#ended) return;
    this.#ended = true;
    if (this.job.stream) {
      this.#res.end();
      return;
    }
    const body = this.#takeHeld();
    const headers = ["content-type", "application/json", "content-length", String(body.length)];
    this.#res.writeHead(200, [...headers, ...this.#ownHeaders()]);
    this.#res.end(body);
  }

  fail(failure: ExchangeFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    const { code, detail, retryAfterMs, relay } = failure;
    if (this.#committed && this.job.stream) {
      this.#res.end(printSse(JSON.stringify(errorEnvelope(code, { detail }))));
      return;
    }
    const headers = this.#ownHeaders();
    if (relay === null) {
      sendError(this.#res, code, { detail, retryAfterMs, headers });
      return;
    }
    for (const [name, value] of Object.entries(relay.headers)) headers.push(name, value);
    sendJson(this.#res, relay.status, { value: relayedEnvelope(relay.status, relay.body), headers });
  }

  #leave(owner: ExchangeOwner): void {
    if (this.#ended || this.#left) return;
    this.#left = true;
    this.#held = [];
    owner.gone();
  }

  #takeHeld(): Buffer {
    const held = this.#held;
    this.#held = [];
    return held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
  }

  #ownHeaders(): FlatHeaders {
    return ["x-request-id", this.clientRequestId, "x-baseload-receipt", this.job.requestId];
  }
}
