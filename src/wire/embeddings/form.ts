import { arrayOf, compact, isObject, type JsonObject, numberOf, textOf } from "../json.ts";
import type { Loss, Unreadable } from "../form/shape.ts";

/** A request for embeddings, in no API's own shape. */
export interface EmbeddingsRequest {
  readonly model: string;
  readonly texts: readonly string[];
  /** Numbers in each vector, or null for the model's own. */
  readonly dimensions: number | null;
  /** Whether the client wants vectors as base64 of 32-bit floats. */
  readonly isBase64: boolean;
  /** Members that have no place here, by name. */
  readonly extras: ReadonlyMap<string, unknown>;
}

/** Embeddings, one vector for each text in its order. */
export interface EmbeddingsAnswer {
  readonly vectors: readonly (readonly number[])[];
  /** What the provider counted, or null. */
  readonly inputTokens: number | null;
}

/** A shape of embeddings that backends speak. Every function is pure. */
export interface EmbeddingsShape {
  print(request: EmbeddingsRequest): { readonly body: JsonObject; readonly losses: readonly Loss[] };
  /** Null when the value is none of this shape. */
  read(value: unknown): EmbeddingsAnswer | null;
}

const READ: ReadonlySet<string> = new Set(["model", "input", "dimensions", "encoding_format"]);

/** The form of OpenAI's request (OpenAI API reference, "Create embeddings"). Tokens in place of texts are some model's own. */
export function readEmbeddingsRequest(value: unknown): EmbeddingsRequest | Unreadable {
  if (!isObject(value)) return { kind: "unreadable", param: "", detail: "is not an object" };
  const { input } = value;
  const texts = typeof input === "string" ? [input] : arrayOf(input).filter((text) => typeof text === "string");
  if (texts.length === 0 || (Array.isArray(input) && texts.length < input.length)) {
    return { kind: "unreadable", param: "input", detail: "must be texts here, since tokens are those of one model" };
  }
  return {
    model: textOf(value["model"]) ?? "",
    texts,
    dimensions: numberOf(value["dimensions"]),
    isBase64: value["encoding_format"] === "base64",
    extras: new Map(Object.entries(value).filter(([name]) => !READ.has(name))),
  };
}

/** What no shape of a cloud's takes. */
export function embeddingsLosses({ extras }: EmbeddingsRequest, taken: ReadonlySet<string>): readonly Loss[] {
  return [...extras]
    .filter(([path, value]) => !taken.has(path) && value !== null)
    .map(([path]) => ({ path, why: "this API has no such member", isHint: path === "user" }));
}

/** Embeddings in OpenAI's shape. Usage that nobody counted is left out. */
export function printEmbeddings(answer: EmbeddingsAnswer, request: EmbeddingsRequest): JsonObject {
  const data = answer.vectors.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: request.isBase64 ? base64Of(vector) : vector,
  }));
  const { inputTokens } = answer;
  const usage = inputTokens === null ? null : { prompt_tokens: inputTokens, total_tokens: inputTokens };
  return compact({ object: "list", data, model: request.model, usage });
}

function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}

/** A value's vectors, or null when one is no list of numbers. */
export function vectorsOf(values: unknown): readonly (readonly number[])[] | null {
  const isVector = (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every((each) => typeof each === "number");
  return Array.isArray(values) && values.every(isVector) ? values : null;
}
