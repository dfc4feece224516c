import type { EngineObservation } from "../base/engine-observation.ts";
import type { Endpoint } from "../base/job.ts";
import type { EngineReport } from "../ports/engine.ts";
import { ChildEngine, type ChildEngineOptions } from "./child-engine.ts";
import type { SupervisorOptions } from "./child-supervisor.ts";
import type { OnLoss } from "./convert.ts";
import type { LlamaServerRun } from "./llama-server/flags.ts";
import { LlamaServer, type ServerInfo } from "./llama-server/supervisor.ts";
import { OpenAiEngine } from "./openai.ts";

/** How llama.cpp's server is run behind the port. */
export interface LlamaServerOptions extends Omit<SupervisorOptions, "onState">, ChildEngineOptions {
  readonly run: LlamaServerRun;
  readonly speaks: readonly Endpoint[];
  readonly onLoss: OnLoss;
}

/** llama.cpp's own server, which Baseload starts and ends, behind the engine port. Owned by the composition root. */
export class LlamaServerEngine extends ChildEngine<ServerInfo> {
  constructor({ run, speaks, onLoss, maxAnswerBytes, onReport, ...options }: LlamaServerOptions) {
    super({
      onReport,
      supervise: (onState) => new LlamaServer(run, { ...options, onState }),
      adapt: (socketPath) =>
        new OpenAiEngine({
          url: "http://localhost/v1",
          socketPath,
          key: null,
          headers: {},
          maxAnswerBytes,
          discoverModels: false,
          speaks,
          onLoss,
          kind: "llamacpp",
        }),
    });
  }

  /** While the server is up it is asked for its load. */
  override async probe(): Promise<EngineReport> {
    const known = await super.probe();
    return known.state === "up" ? this.http.probe() : known;
  }

  protected override async observe(): Promise<EngineObservation | null> {
    return (await this.http.probe()).observation ?? null;
  }
}
