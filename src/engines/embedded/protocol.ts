/** What the parent and the embedded engine's child say to each other outside HTTP: one argument in, IPC messages out. */

import type { ModelInfo } from "./model-info.ts";

/** The child's only argument, as JSON. */
export type ChildOptions = {
  /** The GGUF file to load. */
  readonly modelPath: string;
  /** A Unix socket's path, or a named pipe's on Windows, to serve HTTP on. */
  readonly socketPath: string;
  /** How many requests are computed at once; 4 unless given. Each has its own context, so memory grows with it. */
  readonly sequences?: number;
  /** Tokens of prompt and answer together, per sequence; the model's own limit, at most 4,096, unless given. */
  readonly contextTokens?: number;
  /** Threads that compute; one less than the cores unless given, since a spinning thread per core starves everything else. */
  readonly threads?: number;
  /** Which accelerator llama.cpp may use; false, the processor only, unless given. */
  readonly gpu?: false | "auto" | "metal" | "cuda" | "vulkan";
  /** Serves `POST /crash`, which kills the child. For tests of the supervisor only. */
  readonly allowCrash?: boolean;
};

/** What was loaded. */
export type EngineInfo = {
  /** The model's id in answers: `general.name` of the file, else the file's name. */
  readonly modelName: string;
  /** The architecture's name in the file, such as `llama`. */
  readonly architecture: string;
  /** Tokens of prompt and answer together that one request can have. */
  readonly contextTokens: number;
  /** The number of weights, or null if the file does not describe its tensors. */
  readonly parameterCount: number | null;
  /** How many requests are computed at once. */
  readonly sequences: number;
  /** Threads that compute. */
  readonly threads: number;
  /** Whether `/v1/chat/completions` works; without a chat template only `/v1/completions` does. */
  readonly hasChatTemplate: boolean;
  /** What the file says of the model; of its template only whether there is one, above. */
  readonly file: Omit<ModelInfo, "chatTemplate">;
};

/**
 * What the child needs in its environment, since libuv reads it once, before any of our code runs.
 *
 * node-llama-cpp draws the tokens of a batch's sequences in parallel on libuv's threads, but llama.cpp puts a batch's outputs in
 * order when the first of them is read, without a lock. With more than one thread, requests computed together are now and
 * then continued with each other's tokens.
 */
export const CHILD_ENVIRONMENT = { UV_THREADPOOL_SIZE: "1" } as const;
