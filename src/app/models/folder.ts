import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { modelNameOf, partsOf } from "./file-names.ts";
import { modelInfoOf, readHeadOf } from "../../engines/embedded/model-info.ts";

/** A model in the folder: one GGUF file, or several that one was split into. */
export interface StoredModel {
  /** What clients and configurations call it: the file's name without `.gguf` and without its place among the parts. */
  readonly name: string;
  /** The files' names; llama.cpp is given the first. */
  readonly files: readonly string[];
  /** How many files it should have. */
  readonly fileCount: number;
  readonly sizeBytes: number;
}

/** What the files of a model say; null where they do not. */
export interface StoredInfo {
  readonly architecture: string | null;
  readonly quantization: string | null;
  readonly contextTokens: number | null;
  readonly parameters: number | null;
  /** Why the files cannot be read, or null. */
  readonly fault: string | null;
}

/** A file that was not pulled to its end. */
export interface PartialFile {
  readonly file: string;
  readonly sizeBytes: number;
}

/** Ends the name of a file that is being pulled. */
export const PART = ".part";

/** Where a data directory has its models. */
export function modelsDir(dataDir: string): string {
  return join(dataDir, "models");
}

/** The models in `dir`, by name; none where there is no such folder. */
export function storedModels(dir: string): readonly StoredModel[] {
  const byName = new Map<string, string[]>();
  for (const file of filesOf(dir, ".gguf"))
    byName.set(modelNameOf(file), [...(byName.get(modelNameOf(file)) ?? []), file]);
  return [...byName].map(([name, files]) => ({
    name,
    files,
    fileCount: partsOf(files[0] ?? "").length,
    sizeBytes: files.reduce((sum, file) => sum + statSync(join(dir, file)).size, 0),
  }));
}

/** The files in `dir` that were not pulled to their end. */
export function partialFiles(dir: string): readonly PartialFile[] {
  return filesOf(dir, `.gguf${PART}`).map((file) => ({
    file: file.slice(0, -PART.length),
    sizeBytes: statSync(join(dir, file)).size,
  }));
}

/** What a model's files say. Never throws for a file that is damaged: that is its fault. */
export function infoOf(dir: string, model: StoredModel): StoredInfo {
  const unknown = { architecture: null, quantization: null, contextTokens: null, parameters: null };
  if (model.files.length < model.fileCount)
    return { ...unknown, fault: `${model.fileCount - model.files.length} of ${model.fileCount} files are missing` };
  try {
    const heads = model.files.map((file) => readHeadOf(join(dir, file)));
    const [first] = heads;
    if (first === undefined) return { ...unknown, fault: "it has no files" };
    const info = modelInfoOf(first.head, first.fileBytes);
    return {
      architecture: info.architecture,
      quantization: info.fileType,
      contextTokens: info.trainedContextTokens,
      // A file without descriptions of its tensors does not say how many weights there are.
      parameters: heads.reduce((sum, { head }) => sum + head.parameterCount, 0) || null,
      fault: null,
    };
  } catch (error) {
    return { ...unknown, fault: error instanceof Error ? error.message : String(error) };
  }
}

/** The path that llama.cpp is given for the model called `name`, with or without `.gguf`; null when there is none. */
export function storedPath(dir: string, name: string): string | null {
  const model = storedModels(dir).find((each) => each.name === name || each.files.includes(name));
  return model?.files[0] === undefined ? null : join(dir, model.files[0]);
}

/** Removes the files of a model, finished or not, and what was noted about them. */
export function removeFiles(dir: string, files: readonly string[]): void {
  for (const file of files) {
    for (const end of ["", PART, `${PART}.json`]) rmSync(join(dir, `${file}${end}`), { force: true });
  }
}

function filesOf(dir: string, end: string): readonly string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((file) => !file.startsWith(".") && file.toLowerCase().endsWith(end))
    .filter((file) => statSync(join(dir, file), { throwIfNoEntry: false })?.isFile() === true)
    .toSorted();
}
