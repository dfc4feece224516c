import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { LlamaServerEngine, type LlamaServerOptions } from "../engines/llama-server-engine.ts";
import type { LlamaServerEngineConfig } from "./config/types.ts";
import type { Environment } from "./keys.ts";

/** What the engine of a configuration is made with besides. */
export interface LlamaServerParts extends Pick<
  LlamaServerOptions,
  "socketDir" | "maxAnswerBytes" | "onReport" | "onLog"
> {
  readonly modelPath: string;
  readonly env: Environment;
}

/** Makes the engine that runs llama.cpp's server. Throws in words where there is no such program. */
export function makeLlamaServer(config: LlamaServerEngineConfig, parts: LlamaServerParts): LlamaServerEngine {
  const { backendId, modelName, sequences, contextTokens, gpuLayers, args, speaks, onLoss } = config;
  const { modelPath, env, ...rest } = parts;
  if (process.platform === "win32") {
    throw new Error(
      `backend ${backendId}: engine: llama-server needs Unix sockets; start the server yourself and give its url with engine: llamacpp`,
    );
  }
  const binary = programAt(config.binary, env["PATH"] ?? "");
  if (binary === null) {
    throw new Error(
      `backend ${backendId}: there is no program ${config.binary}; install llama.cpp, give the path of its llama-server as \`binary\`, or use engine: embedded`,
    );
  }
  const run = { binary, modelPath, alias: modelName, sequences, contextTokens, gpuLayers, args };
  return new LlamaServerEngine({ run, speaks, onLoss, ...rest });
}

/** The path of a program that may be run: as given, or found by its name on `path`; null where there is none. */
export function programAt(binary: string, path: string): string | null {
  const places = binary.includes("/")
    ? [binary]
    : path.split(delimiter).map((dir) => join(dir === "" ? "." : dir, binary));
  return places.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // What cannot be looked at cannot be run.
    return false;
  }
}
