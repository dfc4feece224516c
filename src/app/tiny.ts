import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isTinyModel, writeTinyModel } from "../engines/embedded/tiny-model.ts";
import type { AppConfig } from "./config/types.ts";

/** Writes the tiny model where the configuration uses it and what is there is not what this version writes. */
export function provideTinyModel(config: AppConfig, dataDir: string): void {
  const path = join(dataDir, "baseload-tiny.gguf");
  const needed = config.engines.some((engine) => engine.kind === "embedded" && engine.model === null);
  if (!needed || isTinyModel(path)) return;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeTinyModel(path);
}
