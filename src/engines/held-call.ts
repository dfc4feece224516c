import type { ErrorCode } from "../base/errors.ts";
import type { EngineCall, EngineSink, Made, SendOrder, Watch } from "../ports/engine.ts";

const NOTHING: Made = { reported: null, outputText: "", contentPieces: 0 };

/**
 * A send that waits until its engine can take it. The watch runs meanwhile, for its numbers count from the send; connecting
 * alone begins later. Owned by the engine that holds it.
 */
export class HeldCall implements EngineCall {
  readonly #order: SendOrder;
  readonly #sink: EngineSink;
  readonly #onEnd: () => void;
  readonly #startMs = performance.now();
  #totalAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #call: EngineCall | null = null;
  #isOver = false;

  /** `onEnd` is called once, when it waits no more for whatever reason but `begin`. */
  constructor(order: SendOrder, sink: EngineSink, onEnd: () => void) {
    this.#order = order;
    this.#sink = sink;
    this.#onEnd = onEnd;
    this.#totalAtMs = this.#startMs + order.watch.totalMs;
    this.#arm();
  }

  made(): Made {
    return this.#call?.made() ?? NOTHING;
  }

  abort(): Made {
    if (this.#call !== null) return this.#call.abort();
    this.#end();
    return NOTHING;
  }

  limit(withinMs: number): void {
    if (this.#call !== null) {
      this.#call.limit(withinMs);
      return;
    }
    this.#totalAtMs = Math.min(this.#totalAtMs, performance.now() + withinMs);
    this.#arm();
  }

  resume(): void {
    this.#call?.resume();
  }

  /** Sends it now, with what is left of its watch. */
  begin(send: (order: SendOrder, sink: EngineSink) => EngineCall): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#call = send({ ...this.#order, watch: this.#rest() }, this.#sink);
  }

  /** Ends it as a failure to reach the engine. */
  fail(detail: string): void {
    this.#fail("upstream_unreachable", detail);
  }

  #rest(): Watch {
    const { watch } = this.#order;
    const nowMs = performance.now();
    const left = (ms: number): number => Math.max(1, Math.ceil(ms - (nowMs - this.#startMs)));
    const totalMs = Math.max(1, Math.ceil(this.#totalAtMs - nowMs));
    return { ...watch, headersMs: left(watch.headersMs), firstMs: left(watch.firstMs), totalMs };
  }

  #arm(): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    const { headersMs, firstMs } = this.#order.watch;
    const stageAtMs = this.#startMs + Math.min(headersMs, firstMs);
    const stage: ErrorCode = headersMs <= firstMs ? "upstream_headers_timeout" : "upstream_first_timeout";
    const code = this.#totalAtMs <= stageAtMs ? "upstream_total_timeout" : stage;
    const waitMs = Math.max(0, Math.min(this.#totalAtMs, stageAtMs) - performance.now());
    this.#timer = setTimeout(() => this.#fail(code, "the model was still being loaded"), waitMs);
  }

  #fail(code: ErrorCode, detail: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#sink.failed({ code, status: null, retryAfterMs: null, made: NOTHING, relay: null, detail, told: null });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#onEnd();
  }
}
