import type { ServerResponse } from "node:http";
import { assert } from "../base/assert.ts";
import { errorRow } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import type { Exchange, ExchangeFailure, ExchangeOwner } from "../ports/exchange.ts";
import { clientErrors, requestIdHeaders } from "../wire/client-errors.ts";
import { promptText } from "../wire/request.ts";
import { closeUnread, type FlatHeaders, retryAfter } from "./answers.ts";
import type { Recording } from "./idempotency.ts";

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly job: Job;
  readonly body: Buffer;
  /** The parsed body. */
  readonly value: unknown;
  readonly clientRequestId: string;
  /** Headers that a backend of the request's own shape may need; lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Members that a converted answer repeats as the client sent them, though the body has them otherwise; or none. */
  readonly repeats: Readonly<Record<string, unknown>> | null;
  readonly res: ServerResponse;
  /** Where the answer is recorded, or null when nobody may ask for it again. */
  readonly recording: Recording | null;
}

const STREAM_HEADERS: readonly string[] = [
  "content-type",
  "text/event-stream; charset=utf-8",
  "cache-control",
  "no-cache",
  "x-accel-buffering",
  "no",
];

const MAX_DROPPED_CHARACTERS = 1000;

/**
 * One HTTP request and its answer. Bytes are held until the kernel commits, so that a fallback is possible until then.
 * Owned by the utility until the answer has ended.
 */
export class HttpExchange implements Exchange {
  readonly job: Job;
  readonly body: Buffer;
  readonly clientRequestId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly repeats: Readonly<Record<string, unknown>> | null;
  readonly #value: unknown;
  readonly #res: ServerResponse;
  readonly #recording: Recording | null;
  #held: Buffer[] = [];
  #dropped: readonly string[] = [];
  #committed = false;
  /** Whether we frame the chunks of the answer ourselves. */
  #frames = false;
  #ended = false;
  #runStep: number | null = null;

  constructor(parts: ExchangeParts) {
    this.job = parts.job;
    this.body = parts.body;
    this.clientRequestId = parts.clientRequestId;
    this.headers = parts.headers;
    this.repeats = parts.repeats;
    this.#value = parts.value;
    this.#res = parts.res;
    this.#recording = parts.recording;
  }

  /** Tells the owner of the client from now on; one that leaves bytes unread for `idleMs` is closed, which `onUnread` hears too. */
  watch(owner: ExchangeOwner, idleMs: number, onUnread: () => void): void {
    const gone = (code: "client_gone" | "client_too_slow"): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.#held = [];
      this.#recording?.drop();
      owner.gone(code);
    };
    if (this.#res.destroyed) return gone("client_gone");
    this.#res.on("drain", () => owner.drained());
    this.#res.on("close", () => gone("client_gone"));
    closeUnread(this.#res, idleMs, () => {
      onUnread();
      gone("client_too_slow");
    });
  }

  promptText(): string {
    return promptText(this.#value);
  }

  joined(step: number): void {
    this.#runStep = step;
  }

  write(chunk: Buffer): boolean {
    // A chunk of no bytes would end the stream.
    if (this.#ended || chunk.length === 0) return true;
    if (this.#committed && this.job.stream) {
      this.#recording?.add(chunk);
      return this.#res.write(this.#frames ? httpChunk(chunk) : chunk);
    }
    this.#held.push(chunk);
    return true;
  }

  discard(): void {
    assert(!this.#committed, "bytes that went out cannot be discarded");
    this.#held = [];
    this.#dropped = [];
  }

  dropped(members: readonly string[]): void {
    this.#dropped = members;
  }

  commit(): void {
    assert(!this.#committed, "an exchange is committed once");
    this.#committed = true;
    if (!this.job.stream || this.#ended) return;
    this.#res.writeHead(200, [...STREAM_HEADERS, ...this.#ownHeaders()]);
    // Node writes a chunk and its frame in four pieces, which costs a few microseconds more than one. A client of HTTP/1.0 gets none.
    this.#frames = this.#res.chunkedEncoding;
    this.#res.chunkedEncoding = false;
    if (this.#held.length === 0) return;
    const held = this.#takeHeld();
    this.#recording?.add(held);
    this.#res.write(this.#frames ? httpChunk(held) : held);
  }

  end(): void {
    assert(this.#committed, "an answer ends after its commit");
    if (this.#ended) return;
    this.#ended = true;
    if (!this.job.stream) return this.#sendWhole({ status: 200, headers: [], body: this.#takeHeld(), isFinal: true });
    this.#keep(200, STREAM_HEADERS);
    this.#endStream(NOTHING);
  }

  fail(failure: ExchangeFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    const { code, detail, retryAfterMs, relay } = failure;
    const errors = clientErrors(this.job.endpoint);
    if (this.#committed && this.job.stream) {
      this.#recording?.drop();
      this.#endStream(Buffer.from(errors.streamEnd(code, { detail, requestId: this.clientRequestId })));
      return;
    }
    if (relay === null) {
      const { status } = errorRow(code);
      const body = jsonBytes(errors.body(code, { detail, requestId: this.clientRequestId }));
      // What we refuse ourselves costs nothing to refuse again, and may be served once the configuration is mended.
      return this.#sendWhole({ status, headers: retryAfter(retryAfterMs), body, isFinal: false });
    }
    const { status } = relay;
    const body = jsonBytes(errors.relayed(status, relay.body));
    this.#sendWhole({ status, headers: Object.entries(relay.headers).flat(), body, isFinal: isFinalStatus(status) });
  }

  /** Ends the stream with these bytes, which may be none. */
  #endStream(last: Buffer): void {
    if (!this.#frames) this.#res.end(last);
    else this.#res.end(last.length === 0 ? LAST_CHUNK : Buffer.concat([httpChunk(last), LAST_CHUNK]));
  }

  /** Sends an answer in one piece. A final one would be the same if the request came again. */
  #sendWhole(answer: {
    readonly status: number;
    readonly headers: FlatHeaders;
    readonly body: Buffer;
    readonly isFinal: boolean;
  }): void {
    const { status, body } = answer;
    const headers = ["content-type", "application/json", "content-length", String(body.length), ...answer.headers];
    if (answer.isFinal) {
      this.#recording?.add(body);
      this.#keep(status, headers);
    } else this.#recording?.drop();
    if (this.#res.headersSent || this.#res.destroyed) return;
    this.#res.writeHead(status, [...headers, ...this.#ownHeaders()]);
    this.#res.end(body);
  }

  #keep(status: number, headers: readonly string[]): void {
    this.#recording?.keep({ status, headers: [...headers, ...this.#receiptHeader()] }, performance.now());
  }

  #takeHeld(): Buffer {
    const held = this.#held;
    this.#held = [];
    return held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
  }

  #ownHeaders(): FlatHeaders {
    const own = [...requestIdHeaders(this.job.endpoint, this.clientRequestId), ...this.#receiptHeader()];
    return this.#dropped.length === 0 ? own : [...own, "x-baseload-dropped", droppedHeader(this.#dropped)];
  }

  #receiptHeader(): FlatHeaders {
    const receipt = ["x-baseload-receipt", this.job.requestId];
    return this.#runStep === null ? receipt : [...receipt, "x-baseload-run-step", String(this.#runStep)];
  }
}

const NOTHING = Buffer.alloc(0);
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Bytes, which must be some, as one chunk of a body without a known length (RFC 9112, 7.1). */
function httpChunk(bytes: Buffer): Buffer {
  const head = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(head.length + bytes.length + 2);
  chunk.write(head, 0, "latin1");
  bytes.copy(chunk, head.length);
  chunk.write("\r\n", head.length + bytes.length, "latin1");
  return chunk;
}

// Timeouts, conflicts and rate limits pass; a retry must reach the backend again.
function isFinalStatus(status: number): boolean {
  return status < 500 && ![408, 409, 425, 429].includes(status);
}

// Paths of members are the client's words, and a header holds plain characters only.
function droppedHeader(members: readonly string[]): string {
  const text = members.join(", ").replaceAll(/[^\x20-\x7e]/g, "?");
  return text.length > MAX_DROPPED_CHARACTERS ? `${text.slice(0, MAX_DROPPED_CHARACTERS)}...` : text;
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
