import type { Dispatcher } from "undici";
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { EngineCall, EngineSink, Made, Relay, SendOrder } from "../ports/engine.ts";
import type { ReadFault } from "../wire/error.ts";
import { type AnswerReading, broken, type Broken, type Done, jsonOf, type Verdict } from "../wire/reading.ts";
import type { SseRun } from "../wire/sse.ts";
import type { Framing, Splitter } from "./framing.ts";
import { failureCodeOf, relayOf, retryAfterMs } from "./upstream-errors.ts";
import { Watchdog } from "./watchdog.ts";

// More than this without one complete event is no event stream.
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

type Mode = "waiting" | "stream" | "whole" | "error" | "over";

/** What an attempt is made of besides its order and sink. */
export interface AttemptParts {
  readonly reading: AnswerReading;
  readonly framing: Framing;
  /** Reads the error answers of an API whose errors are not OpenAI's. */
  readonly readFault?: ReadFault | undefined;
  /** Most bytes of a whole answer. */
  readonly maxAnswerBytes: number;
}

/**
 * One attempt at an upstream by HTTP: an undici handler that reports to the sink as the port's contract says. What the bytes
 * mean is the reading's part. No promise, stream or AbortController is on this path: each costs more than the work itself.
 * Owned by its call.
 */
export class HttpAttempt implements Dispatcher.DispatchHandler, EngineCall {
  readonly #order: SendOrder;
  readonly #sink: EngineSink;
  readonly #parts: AttemptParts;
  readonly #reading: AnswerReading;
  readonly #watchdog: Watchdog;
  #controller: Dispatcher.DispatchController | null = null;
  #mode: Mode = "waiting";
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #splitter: Splitter;
  readonly #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #first = false;
  #progressed = 0;

  constructor(order: SendOrder, sink: EngineSink, parts: AttemptParts) {
    this.#order = order;
    this.#sink = sink;
    this.#parts = parts;
    this.#reading = parts.reading;
    this.#splitter = parts.framing.splitter();
    this.#watchdog = new Watchdog(order.watch, (code) => this.#expire(code));
  }

  /** Whether it has ended, or was ended, and must not be sent any more. */
  get isOver(): boolean {
    return this.#mode === "over";
  }

  /** Ends it before it was sent, since what it takes to send it could not be had. */
  abandon(code: ErrorCode, detail: string): void {
    this.#fail(code, detail);
  }

  made(): Made {
    const { reported, text, pieces } = this.#reading;
    return { reported, outputText: text, contentPieces: pieces };
  }

  abort(): Made {
    this.#close();
    return this.made();
  }

  limit(withinMs: number): void {
    this.#watchdog.limit(withinMs);
  }

  resume(): void {
    if (this.#mode === "over") return;
    this.#watchdog.resume();
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#mode === "over") controller.abort(new Error("aborted before it was sent"));
    else this.#watchdog.connected();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#mode === "over" || status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#watchdog.headers();
    if (status !== 200) this.#mode = "error";
    else if (!this.#order.stream) this.#mode = "whole";
    else if (String(headers["content-type"] ?? "").startsWith(this.#parts.framing.contentType)) this.#mode = "stream";
    // Asked for a stream and given something else: an error in disguise, read to learn its words.
    else this.#mode = "error";
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#watchdog.bytes();
    if (this.#mode === "stream") this.#takeStream(controller, chunk);
    else if (this.#mode === "whole") this.#gather(chunk, this.#parts.maxAnswerBytes);
    else if (this.#mode === "error") this.#gather(chunk, MAX_ERROR_BYTES);
  }

  onResponseEnd(): void {
    if (this.#mode === "stream") this.#endStream();
    else if (this.#mode === "whole") this.#endWhole();
    else if (this.#mode === "error") this.#endError();
    else this.#watchdog.stop();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = null;
    this.#watchdog.stop();
    this.#fail(failureCodeOf(error, this.#status !== 0), String((error as { code?: unknown }).code ?? error.name));
  }

  #expire(code: ErrorCode): void {
    // After `[DONE]` the watch only guards against an upstream that keeps its connection open.
    if (this.#mode === "over") this.#controller?.abort(new Error("the upstream did not end after [DONE]"));
    else this.#fail(code, "the watch's time ran out");
  }

  /** Ends the upstream's side and this attempt's part in it. */
  #close(): void {
    this.#mode = "over";
    this.#watchdog.stop();
    this.#controller?.abort(new Error("attempt over"));
  }

  #fail(
    code: ErrorCode,
    detail: string,
    { relay = null, waitMs = null }: { readonly relay?: Relay | null; readonly waitMs?: number | null } = {},
  ): void {
    if (this.#mode === "over") return;
    const status = this.#status === 0 ? null : this.#status;
    this.#close();
    this.#sink.failed({
      code,
      status,
      retryAfterMs: retryAfterMs(this.#headers["retry-after"], Date.now()) ?? waitMs,
      made: this.made(),
      relay,
      detail,
      told: null,
    });
  }

  #finish(): void {
    this.#mode = "over";
    this.#sink.finished({ status: this.#status, finishReason: this.#reading.finishReason, made: this.made() });
  }

  #gather(chunk: Buffer, limitBytes: number): void {
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes > limitBytes) {
      if (this.#mode === "whole") this.#fail("upstream_too_large", `more than ${limitBytes} bytes`);
      return;
    }
    this.#gathered.push(chunk);
  }

  #body(): Buffer {
    return this.#gathered.length === 1 ? (this.#gathered[0] as Buffer) : Buffer.concat(this.#gathered);
  }

  #takeStream(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const run = this.#splitter.push(chunk);
    if (run.ends.length === 0) {
      if (this.#splitter.restBytes > MAX_EVENT_BYTES) this.#fail("upstream_bad_response", "an event without an end");
      return;
    }
    const wantsMore = this.#takeRun(run);
    if (wantsMore || this.isOver) return;
    this.#watchdog.pause();
    controller.pause();
  }

  /**
   * Relays the run's events but those that the reading hides or prints anew, as one piece. Returns whether the client wants
   * more. The sink may abort from inside any of its calls, so after each it is asked whether this is over.
   */
  #takeRun({ run, ends }: SseRun): boolean {
    const pieces: Buffer[] = [];
    let start = 0;
    let unsent = 0;
    for (const end of ends) {
      const verdict = this.#verdictOf(run, start, end);
      if (this.isOver) return true;
      if (verdict !== "relay") {
        if (unsent < start) pieces.push(run.subarray(unsent, start));
        unsent = end;
        if (typeof verdict === "object") {
          if (verdict.kind !== "printed") {
            this.#send(pieces);
            if (!this.isOver) this.#conclude(verdict, run.subarray(start, end));
            return true;
          }
          pieces.push(verdict.bytes);
        }
      }
      start = end;
    }
    if (unsent < start) pieces.push(run.subarray(unsent, start));
    return this.#send(pieces);
  }

  #send(pieces: readonly Buffer[]): boolean {
    if (pieces.length === 0) return true;
    return this.#sink.bytes(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces));
  }

  #verdictOf(run: Buffer, start: number, end: number): Verdict {
    const data = this.#dataOf(run, start, end);
    if (typeof data === "object" && data !== null) return data;
    if (data === null) return this.#reading.passesComments ? "relay" : "hide";
    const verdict = this.#reading.event(data);
    this.#report();
    return verdict;
  }

  #dataOf(run: Buffer, start: number, end: number): string | null | Broken {
    try {
      return this.#parts.framing.data(run, start, end);
    } catch (error) {
      return broken(`a damaged event: ${error instanceof Error ? error.message : "unreadable"}`);
    }
  }

  /** Tells the sink of the first content and of progress. */
  #report(): void {
    const { hasContent, pieces } = this.#reading;
    if (!this.#first && hasContent) {
      this.#first = true;
      this.#watchdog.first();
      this.#sink.first();
    }
    const { progressEveryTokens } = this.#order.watch;
    if (pieces - this.#progressed < progressEveryTokens || this.isOver) return;
    this.#progressed = pieces;
    this.#sink.progress(pieces);
  }

  #conclude(verdict: Done | Broken, own: Buffer): void {
    if (verdict.kind === "broken") return this.#fail(verdict.code, verdict.detail);
    const bytes = verdict.bytes ?? own;
    if (bytes.length > 0) this.#sink.bytes(bytes);
    if (!this.isOver) this.#finish();
  }

  #endStream(): void {
    this.#watchdog.stop();
    this.#controller = null;
    const last = this.#splitter.end();
    const { framing } = this.#parts;
    if (isWhole(last, framing)) this.#takeRun(last);
    else return this.#fail("upstream_broken", "the stream ended within an event");
    if (!this.isOver) this.#conclude(this.#reading.end(), NOTHING);
  }

  #endWhole(): void {
    this.#watchdog.stop();
    this.#controller = null;
    const body = this.#body();
    this.#conclude(this.#reading.whole(body), body);
  }

  #endError(): void {
    this.#watchdog.stop();
    this.#controller = null;
    if (this.#status < 400) {
      this.#fail(
        "upstream_bad_response",
        `status ${this.#status}, ${String(this.#headers["content-type"] ?? "no type")}`,
      );
      return;
    }
    const body = this.#body();
    const fault = this.#parts.readFault?.(body, this.#headers) ?? null;
    const refused = this.#status === 401 || this.#status === 403 || fault?.isUnauthorized === true;
    const more = { relay: relayOf(this.#status, this.#headers, { body, fault }), waitMs: fault?.retryAfterMs ?? null };
    this.#fail(refused ? "upstream_unauthorized" : "upstream_error", `status ${this.#status}`, more);
  }
}

/** Whether the bytes left at the end are an event that only lacks its blank line, or nothing; not one that was cut off. */
function isWhole({ run, ends }: SseRun, framing: Framing): boolean {
  const end = ends[0];
  if (end === undefined) return true;
  try {
    const data = framing.data(run, 0, end);
    return data === null || data === "[DONE]" || jsonOf(data) !== undefined;
  } catch {
    // Bytes that cannot be read are the beginning of an event.
    return false;
  }
}
