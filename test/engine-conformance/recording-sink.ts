import assert from "node:assert/strict";
import type { EngineEnd, EngineFailure, EngineSink } from "../../src/ports/engine.ts";
import { until } from "../until.ts";

/** One call that an engine made. */
export type SinkCall =
  | { readonly kind: "bytes"; readonly chunk: Buffer }
  | { readonly kind: "dropped"; readonly members: readonly string[] }
  | { readonly kind: "first" }
  | { readonly kind: "progress"; readonly outputTokens: number }
  | { readonly kind: "finished"; readonly end: EngineEnd }
  | { readonly kind: "failed"; readonly failure: EngineFailure };

/** A sink that keeps every call in order. */
export class RecordingSink implements EngineSink {
  readonly calls: SinkCall[] = [];
  /** What `bytes` answers. */
  wantsMore = true;
  /** Called after each call was kept, in the engine's own turn. */
  onCall: (call: SinkCall) => void = () => {};

  bytes(chunk: Buffer): boolean {
    this.#keep({ kind: "bytes", chunk });
    return this.wantsMore;
  }

  dropped(members: readonly string[]): void {
    this.#keep({ kind: "dropped", members });
  }

  first(): void {
    this.#keep({ kind: "first" });
  }

  progress(outputTokens: number): void {
    this.#keep({ kind: "progress", outputTokens });
  }

  finished(end: EngineEnd): void {
    this.#keep({ kind: "finished", end });
  }

  failed(failure: EngineFailure): void {
    this.#keep({ kind: "failed", failure });
  }

  /** The kinds of the calls, runs of `bytes` as one. */
  get kinds(): readonly string[] {
    const kinds = this.calls.map((call) => call.kind);
    return kinds.filter((kind, index) => kind !== "bytes" || kinds[index - 1] !== "bytes");
  }

  /** All bytes so far. */
  get output(): Buffer {
    return Buffer.concat(this.calls.flatMap((call) => (call.kind === "bytes" ? [call.chunk] : [])));
  }

  get progressed(): readonly number[] {
    return this.calls.flatMap((call) => (call.kind === "progress" ? [call.outputTokens] : []));
  }

  count(kind: SinkCall["kind"]): number {
    return this.calls.filter((call) => call.kind === kind).length;
  }

  /** Waits for the first call of a kind. */
  async seen(kind: SinkCall["kind"]): Promise<void> {
    await until(`the sink hears ${kind}`, () => this.count(kind) > 0);
  }

  /** Waits for the good end of the attempt. */
  async success(): Promise<EngineEnd> {
    const last = await this.#last();
    assert.ok(last.kind === "finished", `it ended with ${JSON.stringify(last)}`);
    return last.end;
  }

  /** Waits for the failure of the attempt. */
  async failure(): Promise<EngineFailure> {
    const last = await this.#last();
    assert.ok(last.kind === "failed", "it finished");
    return last.failure;
  }

  #keep(call: SinkCall): void {
    this.calls.push(call);
    this.onCall(call);
  }

  async #last(): Promise<SinkCall> {
    const isEnd = (call: SinkCall): boolean => call.kind === "finished" || call.kind === "failed";
    await until("the attempt ends", () => this.calls.some(isEnd));
    const last = this.calls.at(-1);
    assert.ok(last !== undefined && isEnd(last), "nothing is said after the end");
    return last;
  }
}
