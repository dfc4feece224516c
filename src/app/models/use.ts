import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { StoredModelConfig } from "../config/types.ts";
import { modelNameOf } from "./file-names.ts";
import { modelsDir, storedPath } from "./folder.ts";
import { type Held, tryHold } from "./locks.ts";

/** The path of a configured model: a file that is there, else the model of that name in the data directory. Throws in words. */
export function modelPathOf(backendId: string, { modelPath, storedName }: StoredModelConfig, dataDir: string): string {
  if (existsSync(modelPath)) return modelPath;
  const stored = storedName === null ? null : storedPath(modelsDir(dataDir), storedName);
  if (stored !== null) return stored;
  const also = storedName === null ? "" : `, and no model ${storedName} in ${modelsDir(dataDir)}`;
  throw new Error(
    `backend ${backendId}: there is no file ${modelPath}${also}; correct \`model\`, or get one with \`baseload models pull\``,
  );
}

/**
 * Marks a model of the data directory as used, so that it is not removed meanwhile; null for one that lies elsewhere. Throws in words
 * when it is being pulled or removed. Where no lock can be made the model is used all the same, and `log` hears why.
 */
export function holdModel(path: string, dataDir: string, log: (line: string) => void): Held | null {
  const dir = modelsDir(dataDir);
  if (dirname(resolve(path)) !== resolve(dir)) return null;
  const name = modelNameOf(path.slice(dirname(path).length + 1));
  let held: Held | null;
  try {
    held = tryHold(dir, name, "shared");
  } catch (error) {
    log(`${name} is used without a mark that it is: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
  if (held === null) throw new Error(`the model ${name} is being pulled or removed; start again when that has ended`);
  return held;
}
