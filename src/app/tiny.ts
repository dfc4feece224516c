import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeTinyModel } from "../engines/embedded/tiny-model.ts";
import type { AppConfig } from "./config/types.ts";

/** Writes the tiny model where the configuration uses it and it is not there yet. */
export function provideTinyModel(config: AppConfig, dataDir: string): void {
  const path = join(dataDir, "baseload-tiny.gguf");
  const needed = config.engines.some((engine) => engine.kind === "embedded" && engine.model === null);
  if (!needed || existsSync(path)) return;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeTinyModel(path);
}
