import { readPiece } from "../../wire/completion.ts";
import { sseData, SseSplitter } from "../../wire/sse.ts";

/** Why a request did not complete. `code` is short and from a small set, `message` is one example's words. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** How output tokens were come by: the endpoint's usage, or chunks with content, of which each may hold several tokens. */
export type OutputBy = "usage" | "chunks" | "unknown";

/** What one answer was, once it is over. */
export interface Answer {
  readonly failure: Failure | null;
  /** When the first content came, on the caller's clock; null without a stream or without content. */
  readonly firstMs: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly outputBy: OutputBy;
}

const OK = 200;
const MOST_ERROR_BYTES = 64 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/** Reads one answer as its bytes come and times its content. It has no clock of its own. */
export class AnswerReader {
  readonly #stream: boolean;
  readonly #gap: (ms: number) => void;
  readonly #splitter = new SseSplitter();
  #parts: Buffer[] | null = [];
  #bytes = 0;
  #status = 0;
  #failure: Failure | null = null;
  #firstMs: number | null = null;
  #lastMs = 0;
  #chunks = 0;
  #finished = false;
  #inputTokens: number | null = null;
  #outputTokens: number | null = null;

  /** `gap` is told the time between each chunk with content and the one before it. */
  constructor(stream: boolean, gap: (ms: number) => void) {
    this.#stream = stream;
    this.#gap = gap;
  }

  /** The answer's status and content type. */
  head(status: number, contentType: string): void {
    this.#status = status;
    if (status === OK && this.#stream && contentType.startsWith("text/event-stream")) this.#parts = null;
  }

  /** Takes bytes that came at `nowMs`; false when there is nothing more to learn from this answer. */
  take(chunk: Buffer, nowMs: number): boolean {
    if (this.#parts === null) this.#takeStream(chunk, nowMs);
    else this.#gather(chunk);
    return this.#failure === null;
  }

  /** The answer, which has ended without a failure of its connection. */
  end(): Answer {
    if (this.#failure === null) {
      if (this.#parts !== null) this.#endWhole(Buffer.concat(this.#parts));
      else if (!this.#finished) this.fail("truncated", "the stream ended without a finish_reason or [DONE]");
    }
    return this.#answer();
  }

  /** The answer, which did not come to its end. */
  fail(code: string, message: string): Answer {
    this.#failure ??= { code, message };
    return this.#answer();
  }

  #answer(): Answer {
    const byChunks = this.#outputTokens === null && this.#parts === null;
    return {
      failure: this.#failure,
      firstMs: this.#firstMs,
      inputTokens: this.#inputTokens,
      outputTokens: byChunks ? this.#chunks : this.#outputTokens,
      outputBy: byChunks ? "chunks" : this.#outputTokens === null ? "unknown" : "usage",
    };
  }

  #gather(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_BYTES) this.fail("too_large", `an answer of more than ${MOST_BYTES} bytes`);
    else if (this.#status === OK || this.#bytes <= MOST_ERROR_BYTES) this.#parts?.push(chunk);
  }

  #endWhole(body: Buffer): void {
    const value = parse(body.toString());
    const prefix = this.#status === OK ? "" : `${this.#status} `;
    const error = errorOf(value);
    if (error !== null) this.fail(`${prefix}${error.code}`, error.message);
    else if (this.#status !== OK) this.fail(`${this.#status}`, body.toString("utf8", 0, 200));
    else if (this.#stream) this.fail("bad_response", "a stream was asked for and something else came");
    else this.#takePiece(value);
  }

  #takeStream(chunk: Buffer, nowMs: number): void {
    const { run, ends } = this.#splitter.push(chunk);
    let start = 0;
    for (const end of ends) {
      const data = sseData(run, start, end);
      start = end;
      if (data === "[DONE]") this.#finished = true;
      else if (data !== null && this.#takeEvent(data)) this.#content(nowMs);
    }
    if (this.#splitter.restBytes > MOST_BYTES) this.fail("too_large", `an event of more than ${MOST_BYTES} bytes`);
  }

  /** True when the event had content. */
  #takeEvent(data: string): boolean {
    const value = parse(data);
    const error = errorOf(value);
    if (error === null) return this.#takePiece(value);
    this.fail(`stream ${error.code}`, error.message);
    return false;
  }

  #takePiece(value: unknown): boolean {
    const piece = readPiece(value);
    if (piece.malformed) this.fail("bad_response", "something came that is not a completion");
    if (piece.finishReason !== null) this.#finished = true;
    this.#inputTokens = piece.usage?.inputTokens ?? this.#inputTokens;
    this.#outputTokens = piece.usage?.outputTokens ?? this.#outputTokens;
    // A finish reason alone is an end, not content.
    return piece.hasContent && (piece.text !== "" || piece.finishReason === null);
  }

  #content(nowMs: number): void {
    this.#chunks += 1;
    if (this.#firstMs === null) this.#firstMs = nowMs;
    else this.#gap(nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: no completion, which is what the caller finds then.
    return undefined;
  }
}

function errorOf(value: unknown): Failure | null {
  const error = member(value, "error");
  if (error === undefined || error === null) return null;
  const code = member(error, "code") ?? member(error, "type") ?? "error";
  const message = typeof error === "string" ? error : member(error, "message");
  return { code: String(code), message: typeof message === "string" ? message : JSON.stringify(error) };
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
