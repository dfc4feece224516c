import { type EngineObservation, unknownModel, unknownObservation } from "../base/engine-observation.ts";
import type { Engine, EngineCall, EngineReport, EngineSink, SendOrder } from "../ports/engine.ts";
import type { OnLoss } from "./convert.ts";
import { EmbeddedEngine, type EmbeddedEngineOptions, type EngineState } from "./embedded/supervisor.ts";
import type { EngineInfo } from "./embedded/protocol.ts";
import { OpenAiEngine } from "./openai.ts";

/** How the embedded engine is run behind the port. */
export interface LlamaOptions extends Omit<EmbeddedEngineOptions, "onState"> {
  readonly maxAnswerBytes: number;
  readonly onLoss: OnLoss;
  /** Called when its state changes, with the reason in words. */
  readonly onReport: (report: EngineReport, reason: string) => void;
}

// So many starts in a row that never became ready are not a crash any more but a fault that stays.
const STARTS_UNTIL_DOWN = 3;

/**
 * llama.cpp behind the engine port: the supervisor keeps the child alive, and the same adapter as for any OpenAI-compatible
 * server drives it over the child's socket. Owned by the composition root.
 */
export class LlamaEngine implements Engine {
  readonly #child: EmbeddedEngine;
  readonly #http: OpenAiEngine;
  readonly #onReport: LlamaOptions["onReport"];
  #failedStarts = 0;
  #closing = false;
  /** What it says while it is up: its child loads the same model again after a crash. */
  #observation: EngineObservation | null = null;
  #report: EngineReport = { state: "starting", models: null, contextTokens: null };

  constructor({ maxAnswerBytes, onLoss, onReport, ...options }: LlamaOptions) {
    this.#onReport = onReport;
    this.#child = new EmbeddedEngine({ ...options, onState: (state, reason) => this.#onState(state, reason) });
    this.#http = new OpenAiEngine({
      url: "http://localhost/v1",
      socketPath: this.#child.socketPath,
      key: null,
      headers: {},
      maxAnswerBytes,
      discoverModels: false,
      speaks: ["chat", "completions", "embeddings"],
      onLoss,
    });
  }

  /** Loads the model; rejects in words for a person when it cannot be loaded. */
  async start(): Promise<EngineInfo> {
    const info = await this.#child.start();
    this.#observation = observationOf(info);
    this.#say({ ...this.#report, contextTokens: info.contextTokens }, "ready");
    return info;
  }

  /** The child's process id, or null while there is none. */
  get pid(): number | null {
    return this.#child.pid;
  }

  send(order: SendOrder, sink: EngineSink): EngineCall {
    return this.#http.send(order, sink);
  }

  probe(): Promise<EngineReport> {
    return Promise.resolve(this.#report);
  }

  async retire(): Promise<void> {
    this.#closing = true;
    await this.#http.retire();
    await this.#child.close();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#report = { ...this.#report, state: "down" };
    await this.#http.close();
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

function observationOf({ modelName, architecture, contextTokens, sequences, file }: EngineInfo): EngineObservation {
  const { fileType: quantization, fileBytes: sizeBytes } = file;
  const own = { architecture, contextTokens, quantization, sizeBytes, modalities: ["text"], state: "loaded" } as const;
  const model = { ...unknownModel(modelName), ...own };
  return { ...unknownObservation("llamacpp"), maxConcurrent: sequences, contextTokens, models: [model] };
}
