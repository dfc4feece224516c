import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { BackendId } from "../base/ids.ts";
import { AnthropicEngine } from "../engines/anthropic.ts";
import { LlamaEngine, type LlamaOptions } from "../engines/embedded-engine.ts";
import { GgufError } from "../engines/embedded/gguf-reader.ts";
import {
  contextTokensOf,
  estimatedBytes,
  type ModelInfo,
  modelMeta,
  readModelInfo,
} from "../engines/embedded/model-info.ts";
import { TINY_MODEL_NAME } from "../engines/embedded/tiny-model.ts";
import { GovernedEngine } from "../engines/governed-engine.ts";
import type { LlamaServerEngine } from "../engines/llama-server-engine.ts";
import { MemoryGovernor } from "../engines/memory-governor.ts";
import { OpenAiEngine } from "../engines/openai.ts";
import type { Engine, EngineReport } from "../ports/engine.ts";
import { cloudEngine, engineSecrets, type EngineSecrets } from "./cloud-engines.ts";
import type { EmbeddedEngineConfig, EngineConfig, LlamaServerEngineConfig } from "./config/types.ts";
import { type Environment, secretDoors } from "./keys.ts";
import { makeLlamaServer } from "./llama-server.ts";
import type { Held } from "./models/locks.ts";
import { holdModel, modelPathOf } from "./models/use.ts";
import { missingEmbeddedEngine } from "./version.ts";

/** What engines are made with besides their configuration. */
export interface FleetParts {
  readonly dataDir: string;
  readonly env: Environment;
  readonly maxAnswerBytes: number;
  /** What the models of embedded engines may take of memory together, or null for no limit. */
  readonly memoryLimitBytes: number | null;
  /** One line for the operator. */
  readonly log: (line: string) => void;
  /** Hears of the engines in use; what one says that is not in use yet, or no more, is nobody's business. */
  readonly observe: (backendId: BackendId, report: EngineReport) => void;
}

/** One engine and what it was made of. */
interface Made {
  readonly config: EngineConfig;
  readonly secrets: EngineSecrets;
  readonly engine: Engine;
  readonly llama: LlamaEngine | GovernedEngine | LlamaServerEngine | null;
  /** Keeps the model's files from being removed, where they are the data directory's. */
  readonly held: Held | null;
}

/** Engines that were made for a configuration and are not in use yet, and the backends that it no longer has. */
export interface FleetChange {
  readonly made: ReadonlyMap<BackendId, Made>;
  readonly gone: readonly BackendId[];
}

/** What a change did, by backend. */
export interface FleetChanged {
  readonly added: readonly BackendId[];
  readonly replaced: readonly BackendId[];
  readonly removed: readonly BackendId[];
}

const UP: EngineReport = { state: "up", models: null, contextTokens: null };

/**
 * The engines in use, one a backend. Owned by the composition root. A change has three steps, so that one that cannot be made
 * changes nothing: `prepare` makes engines, `load` loads their models, `install` puts them into use and retires the others.
 */
export class EngineFleet {
  /** The engines in use; it changes as they are installed. */
  readonly engines = new Map<BackendId, Engine>();
  readonly #parts: FleetParts;
  readonly #inUse = new Map<BackendId, Made>();
  /** Out of use, with attempts that have not ended. */
  readonly #retiring = new Set<Made>();
  readonly #governor: MemoryGovernor | null;
  /** What the files of loaded models say. */
  readonly #infos = new WeakMap<Made, ModelInfo>();

  constructor(parts: FleetParts) {
    this.#parts = parts;
    this.#governor = parts.memoryLimitBytes === null ? null : new MemoryGovernor(parts.memoryLimitBytes);
  }

  /** Makes the engines that are new or changed; those that are as they were are kept. Throws in words. */
  prepare(configs: readonly EngineConfig[]): FleetChange {
    // Every secret is read before anything is made, since that is what fails most.
    const wanted = configs.map((config) => ({ config, secrets: this.#secretsOf(config) }));
    const made = new Map<BackendId, Made>();
    try {
      for (const { config, secrets } of wanted) {
        const before = this.#inUse.get(config.backendId);
        const isSame = isDeepStrictEqual([before?.config, before?.secrets], [config, secrets]);
        if (!isSame) made.set(config.backendId, this.#make(config, secrets));
      }
    } catch (error) {
      void this.drop({ made, gone: [] });
      throw error;
    }
    const kept = new Set(configs.map(({ backendId }) => backendId));
    return { made, gone: [...this.#inUse.keys()].filter((id) => !kept.has(id)) };
  }

  /** Loads the models of a change's engines; rejects in words when one cannot be loaded, and the change is dropped then. */
  async load(change: FleetChange): Promise<void> {
    try {
      await Promise.all([...change.made.values()].map((made) => this.#load(made)));
    } catch (error) {
      await this.drop(change);
      throw error;
    }
  }

  /** Closes engines that were made and are not wanted after all. */
  async drop(change: FleetChange): Promise<void> {
    await Promise.all([...change.made.values()].map(closed));
  }

  /** Puts a change into use. What was there before takes no more sends, and is closed when its last attempt has ended. */
  install(change: FleetChange): FleetChanged {
    const added: BackendId[] = [];
    const replaced: BackendId[] = [];
    for (const [id, made] of change.made) {
      const before = this.#inUse.get(id);
      (before === undefined ? added : replaced).push(id);
      if (before !== undefined) this.#retire(id, before);
      this.#inUse.set(id, made);
      this.engines.set(id, made.engine);
    }
    for (const id of change.gone) {
      const before = this.#inUse.get(id);
      if (before !== undefined) this.#retire(id, before);
      this.#inUse.delete(id);
      this.engines.delete(id);
    }
    return { added, replaced, removed: change.gone };
  }

  /** Says how the engines of a change are: a backend's engine may have been down, or of another kind, before. */
  async report(change: FleetChange): Promise<void> {
    for (const [id, { engine, llama }] of change.made) {
      const report = llama === null ? UP : await llama.probe();
      if (this.engines.get(id) === engine) this.#parts.observe(id, report);
    }
  }

  /** What the file of an embedded engine's model says, by the name that clients use; null for other models. */
  modelMeta(model: string): ReturnType<typeof modelMeta> | null {
    for (const made of this.#inUse.values()) {
      const info = "modelName" in made.config && made.config.modelName === model ? this.#infos.get(made) : undefined;
      if (info !== undefined) return modelMeta(info);
    }
    return null;
  }

  /** The embedded engines' child processes. */
  childPids(): readonly number[] {
    return [...this.#inUse.values(), ...this.#retiring].flatMap(({ llama }) => llama?.pid ?? []);
  }

  /** Closes every engine at once. */
  async close(): Promise<void> {
    await Promise.all([...this.#inUse.values(), ...this.#retiring].map(closed));
  }

  #retire(id: BackendId, made: Made): void {
    this.#retiring.add(made);
    const { log } = this.#parts;
    made.engine
      .retire()
      .catch((error: unknown) => log(`backend ${id}: its former engine did not close: ${String(error)}`))
      .finally(() => {
        made.held?.release();
        this.#retiring.delete(made);
      });
  }

  #secretsOf(config: EngineConfig): EngineSecrets {
    return engineSecrets(config, secretDoors(this.#parts.env));
  }

  #make(config: EngineConfig, secrets: EngineSecrets): Made {
    if (config.kind === "embedded" || config.kind === "llama-server") return this.#local(config);
    const { maxAnswerBytes } = this.#parts;
    if (config.kind !== "openai" && config.kind !== "anthropic") {
      return { config, secrets, engine: cloudEngine(config, secrets, maxAnswerBytes), llama: null, held: null };
    }
    const more = { socketPath: null, key: secrets["key"] ?? null, maxAnswerBytes };
    const engine =
      config.kind === "anthropic"
        ? new AnthropicEngine({ ...config, ...more })
        : new OpenAiEngine({ ...config, ...more, kind: config.engineKind ?? "openai" });
    return { config, secrets, engine, llama: null, held: null };
  }

  /** An engine that runs a model's file here, which stays where it is as long as the engine does. */
  #local(config: EmbeddedEngineConfig | LlamaServerEngineConfig): Made {
    const { dataDir, log } = this.#parts;
    // Without its packages the engine cannot run any file, so that is said before one is looked for.
    const missing = config.kind === "embedded" ? missingEmbeddedEngine() : null;
    if (missing !== null) throw new Error(`backend ${config.backendId}: ${missing}`);
    const modelPath = this.#pathOf(config);
    const held = holdModel(modelPath, dataDir, (line) => log(`backend ${config.backendId}: ${line}`));
    try {
      const llama = config.kind === "embedded" ? this.#llama(config, modelPath) : this.#server(config, modelPath);
      return { config, secrets: {}, engine: llama, llama, held };
    } catch (error) {
      held?.release();
      throw error;
    }
  }

  #server(config: LlamaServerEngineConfig, modelPath: string): LlamaServerEngine {
    const { dataDir, log, env, maxAnswerBytes } = this.#parts;
    const { backendId } = config;
    const engine: LlamaServerEngine = makeLlamaServer(config, {
      modelPath,
      env,
      socketDir: join(dataDir, "run"),
      maxAnswerBytes,
      onReport: (report, reason) => this.#heard(backendId, engine, { report, reason }),
      onLog: (line) => log(`backend ${backendId}: ${line}`),
    });
    return engine;
  }

  #heard(backendId: BackendId, engine: Engine, { report, reason }: { report: EngineReport; reason: string }): void {
    const { log, observe } = this.#parts;
    if (report.state !== "up") log(`backend ${backendId}: ${report.state}: ${reason}`);
    if (this.engines.get(backendId) === engine) observe(backendId, report);
  }

  #llama(config: EmbeddedEngineConfig, modelPath: string): LlamaEngine | GovernedEngine {
    const { dataDir, log, maxAnswerBytes } = this.#parts;
    const { backendId } = config;
    const onReport: LlamaOptions["onReport"] = (report, reason) => this.#heard(backendId, engine, { report, reason });
    const make = (report: LlamaOptions["onReport"]): LlamaEngine =>
      new LlamaEngine({
        modelPath,
        socketDir: join(dataDir, "run"),
        sequences: config.sequences,
        onLoss: config.onLoss,
        ...(config.contextTokens === null ? {} : { contextTokens: config.contextTokens }),
        ...(config.threads === null ? {} : { threads: config.threads }),
        maxAnswerBytes,
        onReport: report,
        onLog: (line) => log(`backend ${backendId}: ${line}`),
      });
    const engine: LlamaEngine | GovernedEngine =
      this.#governor === null
        ? make(onReport)
        : new GovernedEngine({ governor: this.#governor, ...this.#sizeOf(config, modelPath), make, onReport });
    return engine;
  }

  #pathOf({ backendId, model }: EmbeddedEngineConfig | LlamaServerEngineConfig): string {
    const { dataDir } = this.#parts;
    return model === null ? join(dataDir, "baseload-tiny.gguf") : modelPathOf(backendId, model, dataDir);
  }

  /** What a model will take of memory, by estimate, and its context; throws in words where that is more than all may take. */
  #sizeOf(config: EmbeddedEngineConfig, modelPath: string): { readonly bytes: number; readonly contextTokens: number } {
    const { backendId, sequences } = config;
    const info = explainedInfo(backendId, modelPath);
    const contextTokens = config.contextTokens ?? contextTokensOf(info);
    const bytes = estimatedBytes(info, { sequences, contextTokens });
    const { memoryLimitBytes } = this.#parts;
    if (memoryLimitBytes !== null && bytes > memoryLimitBytes) {
      throw new Error(
        `backend ${backendId}: its model takes about ${bytes} bytes by estimate, more than server.memoryLimitBytes, ${memoryLimitBytes}; ` +
          "raise the limit, or lower `sequences` or `contextTokens`",
      );
    }
    return { bytes, contextTokens };
  }

  /** Keeps what a loaded model's file says. What the server could load and this cannot read is shown without. */
  #note(made: Made, modelPath: string): void {
    try {
      this.#infos.set(made, readModelInfo(modelPath));
    } catch (error) {
      if (!(error instanceof GgufError)) throw error;
      this.#parts.log(`backend ${made.config.backendId}: nothing is known of ${modelPath}: ${error.message}`);
    }
  }

  async #load(made: Made): Promise<void> {
    const { config, llama } = made;
    if (llama === null || (config.kind !== "embedded" && config.kind !== "llama-server")) return;
    const started = performance.now();
    const info = await llama.start();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    this.#note(made, this.#pathOf(config));
    if (info === null) {
      this.#parts.log(
        `backend ${config.backendId}: "${config.modelName}" is loaded when it is asked for, since not all models fit in memory`,
      );
      return;
    }
    if (!("modelName" in info)) {
      this.#parts.log(`backend ${config.backendId}: llama-server serves "${config.modelName}" after ${seconds} s`);
      return;
    }
    const name = config.model === null ? TINY_MODEL_NAME : info.modelName;
    this.#parts.log(
      `backend ${config.backendId}: ${name} is loaded as "${config.modelName}" in ${seconds} s, ${info.sequences} requests at once, ${info.contextTokens} tokens of context`,
    );
  }
}

/** Ends an engine at once, and with it its use of the model's files. */
async function closed({ engine, held }: Made): Promise<void> {
  try {
    await engine.close();
  } finally {
    held?.release();
  }
}

function explainedInfo(backendId: BackendId, modelPath: string): ModelInfo {
  try {
    return readModelInfo(modelPath);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`backend ${backendId}: ${modelPath} cannot be read as a model: ${words}`, { cause: error });
  }
}
