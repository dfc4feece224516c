/** Loads a GGUF file with llama.cpp and says in plain words why it could not. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { getLlama, type Llama, type LlamaContext, LlamaLogLevel, type LlamaModel } from "node-llama-cpp";
import type { ChildOptions, EngineInfo } from "./protocol.ts";
import { SlotPool } from "./slots.ts";
import { StepGate } from "./step-gate.ts";
import { tellOwnChances } from "./chances.ts";
import { type ChatTemplate, compileChatTemplate } from "./template.ts";
import { toolFormatOf } from "./tools/format.ts";

/** A model ready to answer. Owned by the child process, which never unloads it: it ends instead. */
export type LoadedEngine = {
  readonly info: EngineInfo;
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly pool: SlotPool;
  readonly gate: StepGate;
  /** Null if the file has no template, so that chats cannot be written as prompts. */
  readonly template: ChatTemplate | null;
  /** How the template teaches the model to call tools; null if it does not. */
  readonly toolFormat: ReturnType<typeof toolFormatOf>;
};

const SEQUENCES_DEFAULT = 4;
/** Without a wish, no more context than this: memory for it is taken at the start, once per sequence. */
const CONTEXT_TOKENS_DEFAULT_MAX = 4096;

/**
 * Loads the model of `options`. Never builds llama.cpp and never downloads. Throws an `Error` whose message is fit for the
 * person who chose the model: a missing file, no GGUF, too little memory, or a context the model was not made for.
 */
export async function loadEngine(options: ChildOptions): Promise<LoadedEngine> {
  checkFile(options.modelPath);
  const threads = options.threads ?? Math.max(1, availableParallelism() - 1);
  const llama = await startLlama(options, threads);
  const model = await explained(options.modelPath, () => llama.loadModel({ modelPath: options.modelPath }));
  const sequences = options.sequences ?? SEQUENCES_DEFAULT;
  const contextSize = contextTokensFor(model, options.contextTokens);
  const context = await explained(options.modelPath, () =>
    model.createContext({ sequences, contextSize, threads, failedCreationRemedy: false }),
  );
  tellOwnChances(context, model);
  const source = templateSource(model);
  const template =
    source === null
      ? null
      : compileChatTemplate(source, { begin: model.tokens.bosString, end: model.tokens.eosString });
  const info = describe({ options, model, context, threads, hasChatTemplate: template !== null });
  const pool = new SlotPool(Array.from({ length: sequences }, () => context.getSequence()));
  const toolFormat = source === null ? null : toolFormatOf(source);
  return { info, llama, model, pool, gate: new StepGate(), template, toolFormat };
}

/** More tensors or metadata entries than any model has. */
const GGUF_COUNT_MAX = 1_000_000n;

/** llama.cpp's own messages about a wrong path are unclear, so the file is looked at first. */
function checkFile(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`There is no model file at ${path}. Check the path.`);
  if (!stat.isFile()) throw new Error(`${path} is not a file. Give the path of a .gguf file.`);
  const head = Buffer.alloc(24);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  if (head.toString("latin1", 0, 4) !== "GGUF") {
    throw new Error(
      `${path} is not a GGUF file. The embedded engine loads GGUF only; convert the model with llama.cpp's tools.`,
    );
  }
  // The metadata reader believes whatever count stands here and would read on for ever.
  const version = head.readUInt32LE(4);
  const counts = [head.readBigUInt64LE(8), head.readBigUInt64LE(16)];
  if (version < 2 || version > 3 || counts.some((count) => count > GGUF_COUNT_MAX)) {
    throw new Error(
      `${path} begins like a GGUF file but is damaged, or of a version other than 2 and 3. Fetch it again.`,
    );
  }
}

async function startLlama(options: ChildOptions, threads: number): Promise<Llama> {
  try {
    return await getLlama({
      gpu: options.gpu ?? false,
      build: "never",
      skipDownload: true,
      maxThreads: threads,
      logLevel: LlamaLogLevel.error,
      logger: (level, message) => process.stderr.write(`llama.cpp ${level}: ${message.trimEnd()}\n`),
    });
  } catch (error) {
    throw new Error(
      `llama.cpp cannot start on this machine (gpu: ${String(options.gpu ?? false)}): ${messageOf(error)}`,
      { cause: error },
    );
  }
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = messageOf(error);
    const advice = /memory|vram|alloc|failed to create context/i.test(message)
      ? " There is too little memory: use fewer sequences, a smaller context, or a smaller model."
      : " The file may be damaged, or of an architecture that this llama.cpp does not know.";
    throw new Error(`${path} cannot be loaded: ${message}.${advice}`, { cause: error });
  }
}

function contextTokensFor(model: LlamaModel, wished: number | undefined): number {
  const most = model.trainContextSize;
  if (wished === undefined) return Math.min(most, CONTEXT_TOKENS_DEFAULT_MAX);
  if (wished > most) throw new Error(`contextTokens is ${wished}, but the model was made for ${most} at most.`);
  return wished;
}

function templateSource(model: LlamaModel): string | null {
  const source: unknown = model.fileInfo.metadata.tokenizer?.chat_template;
  return typeof source === "string" && source !== "" ? source : null;
}

function describe(loaded: {
  options: ChildOptions;
  model: LlamaModel;
  context: LlamaContext;
  threads: number;
  hasChatTemplate: boolean;
}): EngineInfo {
  const { model, context, threads, hasChatTemplate } = loaded;
  const name = model.fileInfo.metadata.general.name;
  return {
    modelName: typeof name === "string" && name !== "" ? name : basename(loaded.options.modelPath, ".gguf"),
    architecture: model.architecture,
    contextTokens: context.contextSize,
    parameterCount: parametersOf(model),
    sequences: context.totalSequences,
    threads,
    hasChatTemplate,
  };
}

function parametersOf(model: LlamaModel): number | null {
  const tensors = model.fileInfo.fullTensorInfo;
  if (tensors === undefined) return null;
  return tensors.reduce(
    (sum, tensor) => sum + tensor.dimensions.reduce<number>((product, size) => product * Number(size), 1),
    0,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
