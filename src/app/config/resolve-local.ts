import { resolve } from "node:path";
import { embeddedName } from "./embedded-name.ts";
import type { ParsedBackend } from "./schema.ts";
import type { EmbeddedEngineConfig, LlamaServerEngineConfig, StoredModelConfig } from "./types.ts";

/** A backend whose engine Baseload runs itself. */
export type LocalBackend = Extract<ParsedBackend, { engine: "embedded" | "llama-server" }>;

/** Whether Baseload runs a backend's engine itself. */
export function isLocal(backend: ParsedBackend): backend is LocalBackend {
  return backend.engine === "embedded" || backend.engine === "llama-server";
}

/** The engine of such a backend. `from` is the folder of the configuration. */
export function localEngine(
  backendId: string,
  backend: LocalBackend,
  from: string,
): EmbeddedEngineConfig | LlamaServerEngineConfig {
  const common = {
    backendId,
    onLoss: backend.onLoss,
    modelName: embeddedName(backend),
    sequences: backend.sequences,
    contextTokens: backend.contextTokens ?? null,
  };
  if (backend.engine === "embedded") {
    const model = backend.model === undefined ? null : resolveModel(backend.model, from);
    return { kind: "embedded", ...common, model, threads: backend.threads ?? null };
  }
  return {
    kind: "llama-server",
    ...common,
    model: resolveModel(backend.model, from),
    binary: /[\\/]/.test(backend.binary) ? resolve(from, backend.binary) : backend.binary,
    gpuLayers: backend.gpuLayers ?? null,
    args: backend.args,
    speaks: [...new Set(backend.endpoints)],
  };
}

function resolveModel(written: string, from: string): StoredModelConfig {
  return { modelPath: resolve(from, written), storedName: /[\\/]/.test(written) ? null : written };
}
