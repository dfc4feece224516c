/** Loads a GGUF file with llama.cpp and says in plain words why it could not. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { Embedder } from "./embeddings.ts";
import { contextTokensOf, type ModelInfo, readModelInfo } from "./model-info.ts";
import {
  getLlama,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  type LlamaModelOptions,
} from "node-llama-cpp";
import { ApiError } from "./errors.ts";
import type { ChildOptions, EngineInfo } from "./protocol.ts";
import { SlotPool } from "./slots.ts";
import { StepGate } from "./step-gate.ts";
import { mendSampling } from "./chances.ts";
import { type ChatTemplate, compileChatTemplate } from "./template.ts";
import { toolFormatOf } from "./tools/format.ts";

/** A model ready to answer. Owned by the child process, which never unloads it: it ends instead. */
export type LoadedEngine = {
  readonly info: EngineInfo;
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly pool: SlotPool;
  readonly embedder: Embedder;
  readonly gate: StepGate;
  /** Null if the file has no template, so that chats cannot be written as prompts. */
  readonly template: ChatTemplate | null;
  /** How the template teaches the model to call tools; null if it does not. */
  readonly toolFormat: ReturnType<typeof toolFormatOf>;
};

const SEQUENCES_DEFAULT = 4;

/**
 * Loads the model of `options`. Never builds llama.cpp and never downloads. Throws an `Error` whose message is fit for the
 * person who chose the model: a missing file, no GGUF, too little memory, or a context the model was not made for.
 */
export async function loadEngine(options: ChildOptions): Promise<LoadedEngine> {
  const file = checkFile(options.modelPath);
  const threads = options.threads ?? Math.max(1, availableParallelism() - 1);
  const llama = await startLlama(options, threads);
  const model = await explained(options.modelPath, () =>
    llama.loadModel({ modelPath: options.modelPath, metadataOverrides: poolingOf(file) }),
  );
  const sequences = options.sequences ?? SEQUENCES_DEFAULT;
  const contextSize = contextTokensFor(model, options.contextTokens);
  const context = await explained(options.modelPath, () =>
    model.createContext({ sequences, contextSize, threads, failedCreationRemedy: false }),
  );
  mendSampling(context, model);
  const source = file.chatTemplate === "" ? null : file.chatTemplate;
  const template =
    source === null
      ? null
      : compileChatTemplate(source, { begin: model.tokens.bosString, end: model.tokens.eosString });
  const info = describe({ options, model, context, threads, file });
  const pool = new SlotPool(Array.from({ length: sequences }, () => context.getSequence()));
  const embedder = new Embedder(() => {
    if (file.pooling === "rank") throw new ApiError(400, "This model ranks texts and has no vectors for them.");
    // A text is computed at once, since vectors of its parts cannot be joined.
    return model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads });
  });
  const toolFormat = source === null ? null : toolFormatOf(source);
  return { info, llama, model, pool, embedder, gate: new StepGate(), template, toolFormat };
}

/** llama.cpp's own messages about a wrong file are unclear, so it is looked at first. */
function checkFile(path: string): ModelInfo {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`There is no model file at ${path}. Check the path.`);
  if (!stat.isFile()) throw new Error(`${path} is not a file. Give the path of a .gguf file.`);
  if (!hasMagic(path)) {
    throw new Error(
      `${path} is not a GGUF file. The embedded engine loads GGUF only; convert the model with llama.cpp's tools.`,
    );
  }
  try {
    return readModelInfo(path);
  } catch (error) {
    throw new Error(
      `${path} begins like a GGUF file but is damaged and cannot be loaded: ${messageOf(error)}. Fetch it again.`,
      { cause: error },
    );
  }
}

function hasMagic(path: string): boolean {
  const head = Buffer.alloc(4);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString("latin1") === "GGUF";
}

/** Where a file does not say how a text's vectors become one, their mean is taken; that changes nothing else. */
function poolingOf({ architecture, pooling }: ModelInfo): NonNullable<LlamaModelOptions["metadataOverrides"]> {
  if (pooling !== null) return {};
  return { [architecture]: { pooling_type: 1 } } as NonNullable<LlamaModelOptions["metadataOverrides"]>;
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
  if (wished === undefined) return contextTokensOf({ trainedContextTokens: most });
  if (wished > most) throw new Error(`contextTokens is ${wished}, but the model was made for ${most} at most.`);
  return wished;
}

function describe(loaded: {
  options: ChildOptions;
  model: LlamaModel;
  context: LlamaContext;
  threads: number;
  file: ModelInfo;
}): EngineInfo {
  const { model, context, threads, file } = loaded;
  const { chatTemplate, ...own } = file;
  return {
    modelName: file.name !== null && file.name !== "" ? file.name : basename(loaded.options.modelPath, ".gguf"),
    architecture: model.architecture,
    contextTokens: context.contextSize,
    parameterCount: file.parameterCount === 0 ? null : file.parameterCount,
    sequences: context.totalSequences,
    threads,
    hasChatTemplate: chatTemplate !== null && chatTemplate !== "",
    file: own,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
