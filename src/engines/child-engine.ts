import type { EngineObservation } from "../base/engine-observation.ts";
import type { Engine, EngineCall, EngineReport, EngineSink, SendOrder } from "../ports/engine.ts";
import type { ChildSupervisor, EngineState } from "./child-supervisor.ts";
import type { OpenAiEngine } from "./openai.ts";

/** What every engine in a child process is run with. */
export interface ChildEngineOptions {
  readonly maxAnswerBytes: number;
  /** Called when its state changes, with the reason in words. */
  readonly onReport: (report: EngineReport, reason: string) => void;
}

/** What a child engine is made of. */
export interface ChildEngineParts<Info> {
  readonly onReport: ChildEngineOptions["onReport"];
  /** Makes the child's supervisor, which tells its states. */
  readonly supervise: (onState: (state: EngineState, reason: string) => void) => ChildSupervisor<Info>;
  /** The adapter that drives the server on this socket. */
  readonly adapt: (socketPath: string) => OpenAiEngine;
}

// So many starts in a row that never became ready are not a crash any more but a fault that stays.
const STARTS_UNTIL_DOWN = 3;

/**
 * An engine in a child process behind the engine port: the supervisor keeps the child alive, and the same adapter as for any
 * OpenAI-compatible server drives it over the child's socket. Owned by the composition root.
 */
export abstract class ChildEngine<Info> implements Engine {
  protected readonly http: OpenAiEngine;
  readonly #child: ChildSupervisor<Info>;
  readonly #onReport: ChildEngineOptions["onReport"];
  #failedStarts = 0;
  #closing = false;
  /** What it says while it is up: its child loads the same model again after a crash. */
  #observation: EngineObservation | null = null;
  #report: EngineReport = { state: "starting", models: null, contextTokens: null };

  constructor({ onReport, supervise, adapt }: ChildEngineParts<Info>) {
    this.#onReport = onReport;
    this.#child = supervise((state, reason) => this.#onState(state, reason));
    this.http = adapt(this.#child.socketPath);
  }

  /** What a child that is ready says of itself, or null. */
  protected abstract observe(info: Info): Promise<EngineObservation | null>;

  /** Loads the model; rejects in words for a person when it cannot be loaded. */
  async start(): Promise<Info> {
    const info = await this.#child.start();
    this.#observation = await this.observe(info);
    this.#say({ ...this.#report, contextTokens: this.#observation?.contextTokens ?? null }, "ready");
    return info;
  }

  /** The child's process id, or null while there is none. */
  get pid(): number | null {
    return this.#child.pid;
  }

  send(order: SendOrder, sink: EngineSink): EngineCall {
    return this.http.send(order, sink);
  }

  probe(): Promise<EngineReport> {
    return Promise.resolve(this.#report);
  }

  async retire(): Promise<void> {
    this.#closing = true;
    await this.http.retire();
    await this.#child.close();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#report = { ...this.#report, state: "down" };
    await this.http.close();
    await this.#child.close();
  }

  #onState(state: EngineState, reason: string): void {
    // What ends because it was told to is no news.
    if (this.#closing) return;
    if (state === "ready") this.#failedStarts = 0;
    else if (state === "starting") this.#failedStarts += 1;
    const seen = state === "ready" ? "up" : this.#failedStarts > STARTS_UNTIL_DOWN ? "down" : "starting";
    this.#say({ ...this.#report, state: seen }, reason);
  }

  #say({ state, models, contextTokens }: EngineReport, reason: string): void {
    const observation = state === "up" ? this.#observation : null;
    this.#report = { state, models, contextTokens, ...(observation === null ? {} : { observation }) };
    this.#onReport(this.#report, reason);
  }
}
