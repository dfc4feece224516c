import { type EngineObservation, unknownModel, unknownObservation } from "../base/engine-observation.ts";
import { ChildEngine, type ChildEngineOptions } from "./child-engine.ts";
import type { OnLoss } from "./convert.ts";
import { EmbeddedEngine, type EmbeddedEngineOptions } from "./embedded/supervisor.ts";
import type { EngineInfo } from "./embedded/protocol.ts";
import { OpenAiEngine } from "./openai.ts";

/** How the embedded engine is run behind the port. */
export interface LlamaOptions extends Omit<EmbeddedEngineOptions, "onState">, ChildEngineOptions {
  readonly onLoss: OnLoss;
}

/** llama.cpp inside Baseload behind the engine port. Owned by the composition root. */
export class LlamaEngine extends ChildEngine<EngineInfo> {
  constructor({ maxAnswerBytes, onLoss, onReport, ...options }: LlamaOptions) {
    super({
      onReport,
      supervise: (onState) => new EmbeddedEngine({ ...options, onState }),
      adapt: (socketPath) =>
        new OpenAiEngine({
          url: "http://localhost/v1",
          socketPath,
          key: null,
          headers: {},
          maxAnswerBytes,
          discoverModels: false,
          speaks: ["chat", "completions", "embeddings"],
          onLoss,
        }),
    });
  }

  protected override observe(info: EngineInfo): Promise<EngineObservation> {
    const { modelName, architecture, contextTokens, sequences, file } = info;
    const { fileType: quantization, fileBytes: sizeBytes } = file;
    const own = {
      architecture,
      contextTokens,
      quantization,
      sizeBytes,
      modalities: ["text"],
      state: "loaded",
    } as const;
    const model = { ...unknownModel(modelName), ...own };
    const observation = { ...unknownObservation("llamacpp"), maxConcurrent: sequences, contextTokens, models: [model] };
    return Promise.resolve(observation);
  }
}
