import type { Dispatcher } from "undici";
import type { IncomingHttpHeaders } from "node:http";
import type { ErrorCode } from "../base/errors.ts";
import type { Usage } from "../base/job.ts";
import type { EngineCall, EngineSink, Made, Relay, SendOrder } from "../ports/engine.ts";
import { readPiece } from "../wire/completion.ts";
import { SSE_DONE, sseData, SseSplitter, type SseRun } from "../wire/sse.ts";
import { failureCodeOf, relayHeaders, retryAfterMs } from "./upstream-errors.ts";
import { Watchdog } from "./watchdog.ts";

// More than this without one complete event is no event stream.
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

type Mode = "waiting" | "stream" | "whole" | "error" | "over";

/** What is to be done with one event of a stream: pass it on, leave it out, end well, or fail. */
type Verdict = "relay" | "hide" | "done" | { readonly code: ErrorCode; readonly detail: string };

/**
 * One attempt at an OpenAI-compatible server: an undici handler that reports to the sink as the port's contract says. No
 * promise, stream or AbortController is on this path: each costs more than the work itself. Owned by its call.
 */
export class OpenAiAttempt implements Dispatcher.DispatchHandler, EngineCall {
  readonly #order: SendOrder;
  readonly #sink: EngineSink;
  readonly #maxAnswerBytes: number;
  readonly #watchdog: Watchdog;
  #controller: Dispatcher.DispatchController | null = null;
  #mode: Mode = "waiting";
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #splitter = new SseSplitter();
  readonly #parts: Buffer[] = [];
  #partBytes = 0;
  #first = false;
  #reported: Usage | null = null;
  #text = "";
  #pieces = 0;
  #finishReason: string | null = null;

  constructor(order: SendOrder, sink: EngineSink, maxAnswerBytes: number) {
    this.#order = order;
    this.#sink = sink;
    this.#maxAnswerBytes = maxAnswerBytes;
    this.#watchdog = new Watchdog(order.watch, (code) => this.#expire(code));
  }

  made(): Made {
    return { reported: this.#reported, outputText: this.#text, contentPieces: this.#pieces };
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
    else if (String(headers["content-type"] ?? "").startsWith("text/event-stream")) this.#mode = "stream";
    // Asked for a stream and given something else: an error in disguise, read to learn its words.
    else this.#mode = "error";
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#watchdog.bytes();
    if (this.#mode === "stream") this.#takeStream(controller, chunk);
    else if (this.#mode === "whole") this.#gather(chunk, this.#maxAnswerBytes);
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

  #fail(code: ErrorCode, detail: string, relay: Relay | null = null): void {
    if (this.#mode === "over") return;
    const status = this.#status === 0 ? null : this.#status;
    this.#close();
    this.#sink.failed({
      code,
      status,
      retryAfterMs: retryAfterMs(this.#headers["retry-after"], Date.now()),
      made: this.made(),
      relay,
      detail,
    });
  }

  #finish(): void {
    this.#mode = "over";
    this.#sink.finished({ status: this.#status, finishReason: this.#finishReason, made: this.made() });
  }

  #gather(chunk: Buffer, limitBytes: number): void {
    this.#partBytes += chunk.length;
    if (this.#partBytes > limitBytes) {
      if (this.#mode === "whole") this.#fail("upstream_too_large", `more than ${limitBytes} bytes`);
      return;
    }
    this.#parts.push(chunk);
  }

  #body(): Buffer {
    return this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
  }

  #takeStream(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const run = this.#splitter.push(chunk);
    if (run.ends.length === 0) {
      if (this.#splitter.restBytes > MAX_EVENT_BYTES) this.#fail("upstream_bad_response", "an event without an end");
      return;
    }
    const wantsMore = this.#takeRun(run);
    if (wantsMore || this.#isOver()) return;
    this.#watchdog.pause();
    controller.pause();
  }

  #isOver(): boolean {
    return this.#mode === "over";
  }

  /**
   * Relays the run's events but those to hide; as one piece where none is hidden. Returns whether the client wants more. The
   * sink may abort from inside any of its calls, so after each it is asked whether this is over.
   */
  #takeRun({ run, ends }: SseRun): boolean {
    let start = 0;
    let unsent = 0;
    let wantsMore = true;
    for (const end of ends) {
      const verdict = this.#takeEvent(sseData(run, start, end));
      if (this.#isOver()) return true;
      if (verdict !== "relay") {
        if (unsent < start) wantsMore = this.#sink.bytes(run.subarray(unsent, start)) && wantsMore;
        if (this.#isOver()) return true;
        unsent = end;
      }
      if (verdict === "done") {
        this.#endWithDone();
        return true;
      }
      if (typeof verdict === "object") {
        this.#fail(verdict.code, verdict.detail);
        return true;
      }
      start = end;
    }
    if (unsent < start) wantsMore = this.#sink.bytes(run.subarray(unsent, start)) && wantsMore;
    return wantsMore;
  }

  #takeEvent(data: string | null): Verdict {
    if (data === null) return "relay";
    if (data === "[DONE]") return "done";
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      return { code: "upstream_bad_response", detail: "an event that is not JSON" };
    }
    const piece = readPiece(value);
    if (piece.malformed) return { code: "upstream_bad_response", detail: "an event that is not a completion" };
    if (piece.error !== null) return { code: "upstream_error", detail: "an error event" };
    if (piece.usage !== null) this.#reported = piece.usage;
    if (piece.finishReason !== null) this.#finishReason = piece.finishReason;
    if (piece.hasContent) this.#content(piece.text);
    return piece.isUsageOnly && !this.#order.wantsUsage ? "hide" : "relay";
  }

  #content(text: string): void {
    if (!this.#first) {
      this.#first = true;
      this.#watchdog.first();
      this.#sink.first();
    }
    if (text === "" || this.#isOver()) return;
    this.#text += text;
    this.#pieces += 1;
    if (this.#pieces % this.#order.watch.progressEveryTokens === 0) this.#sink.progress(this.#pieces);
  }

  #endStream(): void {
    this.#watchdog.stop();
    this.#controller = null;
    const last = this.#splitter.end();
    if (isWhole(last)) this.#takeRun(last);
    if (this.#isOver()) return;
    if (this.#finishReason === null || !isWhole(last)) {
      this.#fail("upstream_broken", "the stream ended without a finish reason");
      return;
    }
    // Some engines leave `[DONE]` out; the answer is complete all the same, and clients wait for it.
    this.#endWithDone();
  }

  #endWithDone(): void {
    this.#sink.bytes(SSE_DONE);
    if (!this.#isOver()) this.#finish();
  }

  #endWhole(): void {
    this.#watchdog.stop();
    this.#controller = null;
    const body = this.#body();
    let value: unknown;
    try {
      value = JSON.parse(body.toString("utf8"));
    } catch {
      this.#fail("upstream_bad_response", "an answer that is not JSON");
      return;
    }
    const piece = readPiece(value);
    if (piece.error !== null || piece.malformed) {
      this.#fail(
        "upstream_bad_response",
        piece.malformed ? "an answer that is not a completion" : "an error with status 200",
      );
      return;
    }
    this.#reported = piece.usage;
    this.#finishReason = piece.finishReason;
    this.#text = piece.text;
    this.#pieces = piece.text === "" ? 0 : 1;
    this.#sink.bytes(body);
    if (!this.#isOver()) this.#finish();
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
    const refused = this.#status === 401 || this.#status === 403;
    const relay = { status: this.#status, headers: relayHeaders(this.#headers), body: this.#body() };
    this.#fail(refused ? "upstream_unauthorized" : "upstream_error", `status ${this.#status}`, relay);
  }
}

/** Whether the bytes left at the end are an event that only lacks its blank line, or nothing; not one that was cut off. */
function isWhole({ run, ends }: SseRun): boolean {
  const end = ends[0];
  if (end === undefined) return true;
  const data = sseData(run, 0, end);
  if (data === null || data === "[DONE]") return true;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}
