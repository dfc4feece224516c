import { embeddingsLosses, type EmbeddingsShape, vectorsOf } from "../embeddings/form.ts";
import { compact, numberOf, objectOf } from "../json.ts";

const NONE_TAKEN: ReadonlySet<string> = new Set();
/** Cohere wants to know what the vectors are for; a client may say it in Cohere's own member. */
const COHERE_TAKEN: ReadonlySet<string> = new Set(["input_type"]);

/** Amazon's Titan, which takes one text a request ("Amazon Titan Embeddings Text", Amazon Bedrock User Guide). */
const TITAN: EmbeddingsShape = {
  print: (request) => {
    const many = { path: "input", why: "this model takes one text a request", isHint: false };
    const losses = [...embeddingsLosses(request, NONE_TAKEN), ...(request.texts.length > 1 ? [many] : [])];
    return { body: compact({ inputText: request.texts[0], dimensions: request.dimensions }), losses };
  },
  read: (value) => {
    const answer = objectOf(value);
    const vectors = vectorsOf([answer?.["embedding"]]);
    return vectors === null ? null : { vectors, inputTokens: numberOf(answer?.["inputTextTokenCount"]) };
  },
};

/** Cohere's ("Cohere Embed models", Amazon Bedrock User Guide), which counts its tokens in a header alone. */
const COHERE: EmbeddingsShape = {
  print: (request) => ({
    body: compact({
      texts: request.texts,
      input_type: request.extras.get("input_type") ?? "search_document",
      embedding_types: ["float"],
      output_dimension: request.dimensions,
    }),
    losses: embeddingsLosses(request, COHERE_TAKEN),
  }),
  read: (value) => {
    const embeddings = objectOf(value)?.["embeddings"];
    const vectors = vectorsOf(objectOf(embeddings)?.["float"] ?? embeddings);
    return vectors === null ? null : { vectors, inputTokens: null };
  },
};

/** The shape of `InvokeModel` for a model of embeddings, by its maker; null for one that is not known. */
export function embeddingsShapeOf(model: string): EmbeddingsShape | null {
  if (model.includes("amazon.titan-embed-text")) return TITAN;
  return model.includes("cohere.embed") ? COHERE : null;
}
