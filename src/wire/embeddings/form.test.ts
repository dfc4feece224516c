import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { embeddingsShapeOf } from "../bedrock/embeddings.ts";
import { GEMINI_EMBEDDINGS, VERTEX_EMBEDDINGS } from "../gemini/embeddings.ts";
import { ConvertedEmbeddingsReading } from "./reading.ts";
import { type EmbeddingsRequest, printEmbeddings, readEmbeddingsRequest } from "./form.ts";

const titan = embeddingsShapeOf("amazon.titan-embed-text-v2:0") ?? assert.fail("Titan is known");
const cohere = embeddingsShapeOf("eu.cohere.embed-v4:0") ?? assert.fail("Cohere is known");
const SHAPES = [GEMINI_EMBEDDINGS, VERTEX_EMBEDDINGS, titan, cohere];

function read(value: unknown): EmbeddingsRequest {
  const request = readEmbeddingsRequest(value);
  return "kind" in request ? assert.fail(request.detail) : request;
}

test("texts are read, and tokens are refused, since they are one model's", () => {
  assert.deepEqual(read({ model: "m", input: "a" }).texts, ["a"]);
  assert.deepEqual(read({ model: "m", input: ["a", "b"] }).texts, ["a", "b"]);
  for (const input of [[1, 2], [[1]], [], ["a", 1]]) assert.ok("kind" in readEmbeddingsRequest({ model: "m", input }));
});

test("vectors survive base64 as 32-bit floats", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.float({ noNaN: true }))), (vectors) => {
      const request = read({ model: "m", input: "a", encoding_format: "base64" });
      const { data } = printEmbeddings({ vectors, inputTokens: null }, request) as { data: { embedding: string }[] };
      const decoded = data.map(({ embedding }) => {
        const bytes = Buffer.from(embedding, "base64");
        return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
      });
      assert.deepEqual(decoded, vectors);
    }),
  );
});

test("each model's own member is taken, the others' are losses, and the end user is a hint", () => {
  const value = { model: "m", input: ["a", "b"], user: "u", taskType: "CLUSTERING", input_type: "search_query" };
  const lossesOf = SHAPES.map((shape) => shape.print(read(value)).losses.map(({ path, isHint }) => [path, isHint]));
  assert.deepEqual(lossesOf, [
    [
      ["user", true],
      ["input_type", false],
    ],
    [
      ["user", true],
      ["input_type", false],
    ],
    [
      ["user", true],
      ["taskType", false],
      ["input_type", false],
      ["input", false],
    ],
    [
      ["user", true],
      ["taskType", false],
    ],
  ]);
  assert.equal(cohere.print(read(value)).body["input_type"], "search_query");
  assert.equal(embeddingsShapeOf("meta.llama3-1"), null);
});

test("arbitrary JSON is read or refused, and never throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      readEmbeddingsRequest(value);
      for (const shape of SHAPES) {
        for (const member of ["embeddings", "predictions", "embedding"]) {
          shape.read({ [member]: value });
          shape.read({ [member]: [value] });
        }
        shape.read(value);
      }
    }),
  );
});

test("an answer without a vector for each text is broken", () => {
  const reading = new ConvertedEmbeddingsReading(GEMINI_EMBEDDINGS, read({ model: "m", input: ["a", "b"] }));
  const one = Buffer.from(JSON.stringify({ embeddings: [{ values: [1] }] }));
  assert.equal(reading.whole(one).kind, "broken");
  assert.equal(reading.whole(Buffer.from("{}")).kind, "broken");
  assert.equal(reading.end().kind, "broken");
  assert.equal(reading.reported, null);
});
