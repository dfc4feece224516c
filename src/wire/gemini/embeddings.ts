import { embeddingsLosses, type EmbeddingsShape, vectorsOf } from "../embeddings/form.ts";
import { arrayOf, compact, numberOf, objectOf } from "../json.ts";

/** A member of Gemini's own that a client may add: what the vectors are for. */
const TAKEN: ReadonlySet<string> = new Set(["taskType"]);

/** AI Studio's `batchEmbedContents` (Gemini API reference, v1beta). */
export const GEMINI_EMBEDDINGS: EmbeddingsShape = {
  print: (request) => {
    const model = `models/${request.model.replace(/^models\//, "")}`;
    const more = { taskType: request.extras.get("taskType"), outputDimensionality: request.dimensions };
    const requests = request.texts.map((text) => compact({ model, content: { parts: [{ text }] }, ...more }));
    return { body: { requests }, losses: embeddingsLosses(request, TAKEN) };
  },
  read: (value) => {
    const embeddings = objectOf(value)?.["embeddings"];
    if (!Array.isArray(embeddings)) return null;
    const vectors = vectorsOf(embeddings.map((each) => objectOf(each)?.["values"]));
    const usage = objectOf(objectOf(value)?.["usageMetadata"]);
    return vectors === null ? null : { vectors, inputTokens: numberOf(usage?.["promptTokenCount"]) };
  },
};

/** Vertex AI's `predict` of models of embeddings ("Get text embeddings"). */
export const VERTEX_EMBEDDINGS: EmbeddingsShape = {
  print: (request) => {
    const instances = request.texts.map((content) => compact({ content, task_type: request.extras.get("taskType") }));
    const parameters = request.dimensions === null ? null : { outputDimensionality: request.dimensions };
    return { body: compact({ instances, parameters }), losses: embeddingsLosses(request, TAKEN) };
  },
  read: (value) => {
    const predictions = objectOf(value)?.["predictions"];
    if (!Array.isArray(predictions)) return null;
    const embeddings = predictions.map((each) => objectOf(objectOf(each)?.["embeddings"]));
    const vectors = vectorsOf(embeddings.map((each) => each?.["values"]));
    const counts = embeddings.map((each) => numberOf(objectOf(each?.["statistics"])?.["token_count"]));
    const known = counts.filter((count) => count !== null);
    const inputTokens =
      known.length < arrayOf(predictions).length ? null : known.reduce((sum, count) => sum + count, 0);
    return vectors === null ? null : { vectors, inputTokens };
  },
};
