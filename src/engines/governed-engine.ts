import type {
  Engine,
  EngineCall,
  EngineEnd,
  EngineFailure,
  EngineReport,
  EngineSink,
  Made,
  SendOrder,
} from "../ports/engine.ts";
import type { EngineInfo } from "./embedded/protocol.ts";
import type { LlamaEngine, LlamaOptions } from "./embedded-engine.ts";
import { HeldCall } from "./held-call.ts";
import type { Member, MemoryGovernor } from "./memory-governor.ts";

/** How a governed engine is made. */
export interface GovernedOptions {
  readonly governor: MemoryGovernor;
  /** What the model takes of memory, by estimate. */
  readonly bytes: number;
  /** What one request will have of context once the model is loaded. */
  readonly contextTokens: number;
  /** Makes the engine anew, for each time that the model is loaded. */
  readonly make: (onReport: LlamaOptions["onReport"]) => LlamaEngine;
  readonly onReport: LlamaOptions["onReport"];
}

/**
 * `out` of memory; `waiting` for room; `loading`; `in`; `yielding` its place once its requests have ended; `leaving`; `closed`.
 */
type State = "out" | "waiting" | "loading" | "in" | "yielding" | "leaving" | "closed";

/**
 * An embedded engine whose model is in memory only while it is needed and there is room. Out of memory it says that it is up, since
 * it takes requests; the first one has the model loaded, and it and those that follow wait. Owned by the composition root.
 */
export class GovernedEngine implements Engine, Member {
  readonly bytes: number;
  usedAtMs = performance.now();
  readonly #options: GovernedOptions;
  readonly #held = new Set<HeldCall>();
  #state: State = "out";
  #engine: LlamaEngine | null = null;
  #inFlight = 0;
  #isReclaimed = false;
  #isRetired = false;
  #report: EngineReport;
  /** Called when nothing runs or waits any more; whoever retires it waits for that. */
  #onIdle: () => void = () => {};

  constructor(options: GovernedOptions) {
    this.#options = options;
    this.bytes = options.bytes;
    this.#report = { state: "up", models: null, contextTokens: options.contextTokens };
  }

  get isBusy(): boolean {
    return this.#inFlight > 0 || this.#held.size > 0;
  }

  /** The child's process id, or null while the model is out of memory. */
  get pid(): number | null {
    return this.#engine?.pid ?? null;
  }

  /** Loads the model if there is room for it now; null where there is none. Rejects in words when it cannot be loaded. */
  async start(): Promise<EngineInfo | null> {
    const { governor, onReport } = this.#options;
    if (this.#state === "out" && governor.tryAdmit(this)) return this.#load();
    onReport(this.#report, "out of memory until it is asked for");
    return null;
  }

  send(order: SendOrder, sink: EngineSink): EngineCall {
    this.usedAtMs = performance.now();
    if (this.#state === "in" && this.#engine !== null) return this.#pass(order, sink);
    const held: HeldCall = new HeldCall(order, sink, () => {
      this.#held.delete(held);
      this.#ended();
    });
    if (this.#state === "closed" || this.#isRetired) {
      // As with any engine: nothing is called before `send` has returned.
      queueMicrotask(() => held.fail("the engine is closed"));
      return held;
    }
    this.#held.add(held);
    this.#want();
    return held;
  }

  probe(): Promise<EngineReport> {
    return Promise.resolve(this.#report);
  }

  /** Asked for by the governor: another model needs the room. */
  reclaim(): void {
    this.#isReclaimed = true;
    if (this.#state !== "in") return;
    this.#state = "yielding";
    this.#say({ ...this.#report, state: "starting" }, "another model needs its memory");
    this.#unloadIfIdle();
  }

  async retire(): Promise<void> {
    this.#isRetired = true;
    if (this.isBusy)
      await new Promise<void>((idle) => {
        this.#onIdle = idle;
      });
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#state !== "closed") {
      this.#state = "closed";
      this.#report = { ...this.#report, state: "down" };
      for (const held of this.#held) held.fail("the engine was closed");
    }
    await this.#engine?.close();
    this.#options.governor.leave(this);
  }

  #want(): void {
    if (this.#state !== "out") return;
    this.#state = "waiting";
    this.#say({ ...this.#report, state: "starting" }, "its model is loaded once there is memory for it");
    void this.#loadOnceAdmitted();
  }

  async #loadOnceAdmitted(): Promise<void> {
    await this.#options.governor.admit(this);
    if (this.#state !== "waiting") return;
    try {
      await this.#load();
    } catch {
      // Whoever waits was told, and the reason was reported.
    }
  }

  async #load(): Promise<EngineInfo> {
    this.#state = "loading";
    const engine = this.#options.make((report, reason) => this.#heard(engine, report, reason));
    this.#engine = engine;
    try {
      const info = await engine.start();
      if (this.#isClosed()) throw new Error("the engine was closed while its model was loaded");
      this.#state = "in";
      this.#say(await engine.probe(), "ready");
      for (const held of this.#held) held.begin((order, sink) => this.#pass(order, sink));
      this.#held.clear();
      if (this.#isReclaimed) this.reclaim();
      return info;
    } catch (error) {
      await engine.close();
      this.#loadFailed(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  #loadFailed(reason: string): void {
    this.#engine = null;
    if (this.#state === "closed") return;
    this.#state = "out";
    this.#isReclaimed = false;
    this.#options.governor.leave(this);
    this.#say({ ...this.#report, state: "down" }, reason);
    for (const held of this.#held) held.fail("its model could not be loaded");
    // The next request tries again; that it will fail too is a guess.
    this.#say({ ...this.#report, state: "up" }, "it can be asked again");
  }

  /** What the engine says of itself counts while its model is in; before and after, this says how it is. */
  #heard(engine: LlamaEngine, report: EngineReport, reason: string): void {
    if (engine === this.#engine && this.#state === "in") this.#say(report, reason);
  }

  #pass(order: SendOrder, sink: EngineSink): EngineCall {
    this.#inFlight += 1;
    const counted = new CountedSink(sink, () => {
      this.#inFlight -= 1;
      this.usedAtMs = performance.now();
      this.#ended();
    });
    const call = (this.#engine as LlamaEngine).send(order, counted);
    return {
      made: () => call.made(),
      limit: (withinMs) => call.limit(withinMs),
      resume: () => call.resume(),
      abort: (): Made => {
        const made = call.abort();
        counted.end();
        return made;
      },
    };
  }

  #ended(): void {
    if (!this.isBusy) this.#onIdle();
    this.#unloadIfIdle();
  }

  #unloadIfIdle(): void {
    if (this.#state !== "yielding" || this.#inFlight > 0 || this.#engine === null) return;
    this.#state = "leaving";
    void this.#unload(this.#engine);
  }

  async #unload(engine: LlamaEngine): Promise<void> {
    await engine.close();
    if (this.#isClosed()) return;
    this.#engine = null;
    this.#state = "out";
    this.#isReclaimed = false;
    this.#options.governor.leave(this);
    this.#say({ ...this.#report, state: "up" }, "its memory is another model's");
    if (this.#held.size > 0) this.#want();
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #say(report: EngineReport, reason: string): void {
    // What is known of an engine is known while its model is in.
    const { observation: _observation, ...rest } = report;
    this.#report = this.#state === "in" ? report : rest;
    this.#options.onReport(this.#report, reason);
  }
}

/** Passes everything on and says once that the attempt has ended. Owned by its attempt. */
class CountedSink implements EngineSink {
  readonly #sink: EngineSink;
  readonly #onEnd: () => void;
  #isOver = false;

  constructor(sink: EngineSink, onEnd: () => void) {
    this.#sink = sink;
    this.#onEnd = onEnd;
  }

  bytes(chunk: Buffer): boolean {
    return this.#sink.bytes(chunk);
  }

  dropped(members: readonly string[]): void {
    this.#sink.dropped(members);
  }

  first(): void {
    this.#sink.first();
  }

  progress(outputTokens: number): void {
    this.#sink.progress(outputTokens);
  }

  finished(end: EngineEnd): void {
    this.end();
    this.#sink.finished(end);
  }

  failed(failure: EngineFailure): void {
    this.end();
    this.#sink.failed(failure);
  }

  /** The attempt is over, however it came to that. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
  }
}
