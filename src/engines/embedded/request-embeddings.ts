/** Reads the body of `/v1/embeddings`. */
import { badValue } from "./errors.ts";
import { type Fields, readInteger } from "./fields.ts";

/** What is to be turned into vectors. */
export type EmbeddingsRequest = {
  /** Texts, or the numbers of tokens; at least one, and none of them empty. */
  readonly inputs: readonly (string | readonly number[])[];
  /** The length that the vectors are cut to, or null for the model's own. */
  readonly dimensions: number | null;
  readonly encoding: "float" | "base64";
};

/** OpenAI's limit. */
const INPUTS_MAX = 2048;

/** Reads an embeddings request. Throws `ApiError` 400 for a wrong or unsupported field. */
export function readEmbeddingsRequest(body: Fields): EmbeddingsRequest {
  const encoding = body["encoding_format"] ?? "float";
  if (encoding !== "float" && encoding !== "base64") throw badValue("encoding_format", "it must be float or base64");
  return { inputs: readInputs(body["input"]), dimensions: readInteger(body, "dimensions", 1), encoding };
}

function readInputs(input: unknown): EmbeddingsRequest["inputs"] {
  const list: readonly unknown[] = Array.isArray(input) && !isTokens(input) ? input : [input];
  if (list.length === 0 || list.length > INPUTS_MAX)
    throw badValue("input", `it must have 1 to ${INPUTS_MAX} texts or arrays of tokens`);
  list.forEach((each, index) => {
    const isText = typeof each === "string" && each !== "";
    if (!isText && !isTokens(each))
      throw badValue(
        Array.isArray(input) ? `input[${index}]` : "input",
        "it must be a non-empty text or array of tokens",
      );
  });
  return list as EmbeddingsRequest["inputs"];
}

function isTokens(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isSafeInteger(token));
}
