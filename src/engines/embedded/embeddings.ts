/** Answers `/v1/embeddings`: one vector an input, of length 1. */
import type { LlamaEmbeddingContext, Token } from "node-llama-cpp";
import { ApiError, badValue } from "./errors.ts";
import type { LoadedEngine } from "./load.ts";
import { contextExceeded } from "./prepare.ts";
import { parseBody } from "./request.ts";
import { type EmbeddingsRequest, readEmbeddingsRequest } from "./request-embeddings.ts";

/**
 * The context in which a model's vectors are computed, made at the first request since most models never need it. Owned by the
 * loaded engine.
 */
export class Embedder {
  readonly #make: () => Promise<LlamaEmbeddingContext>;
  #context: Promise<LlamaEmbeddingContext> | null = null;

  constructor(make: () => Promise<LlamaEmbeddingContext>) {
    this.#make = make;
  }

  /** The vector of some tokens. One is computed at a time; those asked for meanwhile wait. */
  async vector(tokens: readonly Token[]): Promise<readonly number[]> {
    // One that could not be made, for want of memory, may be had later.
    this.#context ??= this.#make().catch((error: unknown) => {
      this.#context = null;
      throw error;
    });
    const context = await this.#context;
    return (await context.getEmbeddingFor([...tokens])).vector;
  }
}

/** Computes the answer to an embeddings request. Throws `ApiError` 400, or the signal's reason when aborted. */
export async function answerEmbeddings(engine: LoadedEngine, bodyText: string, signal: AbortSignal): Promise<object> {
  const request = readEmbeddingsRequest(parseBody(bodyText));
  const length = engine.model.embeddingVectorSize;
  if (request.dimensions !== null && request.dimensions > length)
    throw badValue("dimensions", `this model's vectors have ${length}`);
  const inputs = request.inputs.map((input, index) => tokensOf(engine, input, `input[${index}]`));
  const data: object[] = [];
  let tokens = 0;
  for (const [index, input] of inputs.entries()) {
    signal.throwIfAborted();
    const vector = shaped(await engine.embedder.vector(input), request.dimensions);
    data.push({ object: "embedding", index, embedding: encoded(vector, request.encoding) });
    tokens += input.length;
  }
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { object: "list", data, model: engine.info.modelName, usage };
}

/** An input's tokens with those that the model wants around them. */
function tokensOf(engine: LoadedEngine, input: string | readonly number[], param: string): readonly Token[] {
  const { model, info } = engine;
  const tokens = typeof input === "string" ? [...model.tokenize(input)] : knownTokens(engine, input, param);
  const { bos, eos, shouldPrependBosToken, shouldAppendEosToken } = model.tokens;
  if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  if (shouldAppendEosToken && eos !== null && tokens.at(-1) !== eos) tokens.push(eos);
  if (tokens.length >= info.contextTokens) throw contextExceeded(info.contextTokens, tokens.length, param);
  return tokens;
}

function knownTokens({ model, info }: LoadedEngine, input: readonly number[], param: string): Token[] {
  const size = info.file.vocabularySize ?? model.fileInfo.metadata.tokenizer.ggml.tokens.length;
  const wrong = input.find((token) => token < 0 || token >= size);
  if (wrong !== undefined)
    throw new ApiError(400, `${param} has the token ${wrong}, but this model has tokens 0 to ${size - 1}.`, {
      param,
      code: "invalid_value",
    });
  return [...input] as Token[];
}

/** The first `dimensions` of a vector, or all, brought to length 1 as OpenAI's are. */
function shaped(vector: readonly number[], dimensions: number | null): Float32Array {
  const kept = Float32Array.from(dimensions === null ? vector : vector.slice(0, dimensions));
  const norm = Math.hypot(...kept);
  return norm === 0 ? kept : kept.map((value) => value / norm);
}

function encoded(vector: Float32Array, encoding: EmbeddingsRequest["encoding"]): readonly number[] | string {
  if (encoding === "float") return [...vector];
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString("base64");
}
