import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, Needs } from "../base/job.ts";
import { type ModelCard, UNKNOWN_MODEL } from "../base/model.ts";
import { jobOf } from "../../test/fakes/doors.ts";
import { exceeds, unmetNeeds } from "./needs.ts";

const ALL: Needs = { tools: true, jsonSchema: true, images: true, audio: true };

const JOB: Job = { ...jobOf("1"), promptTextLength: 1 };

const reason = (card: Partial<ModelCard>, job: Partial<Job>): string | null =>
  exceeds({ ...UNKNOWN_MODEL, ...card }, { ...JOB, ...job });

test("what is unknown of the model or of the request forbids nothing", () => {
  assert.equal(reason({}, { maxOutputTokens: 1_000_000, promptTextLength: 1e9, needs: ALL }), null);
  const strict: Partial<ModelCard> = { inputModalities: ["text"], capabilities: { tools: false, jsonSchema: false } };
  assert.equal(reason(strict, {}), null);
});

test("the fewest tokens of the prompt and the answer asked for must fit together", () => {
  const card = { contextTokens: 100 };
  assert.equal(reason(card, { promptTextLength: 160, maxOutputTokens: 90 }), null);
  assert.equal(reason(card, { promptTextLength: 161, maxOutputTokens: 90 }), "context_too_small");
  assert.equal(reason(card, { promptTextLength: 1_600, maxOutputTokens: null }), null);
  assert.equal(reason(card, { promptTextLength: 1_601, maxOutputTokens: null }), "context_too_small");
});

test("no more output is asked for than the model has", () => {
  assert.equal(reason({ maxOutputTokens: 10 }, { maxOutputTokens: 10 }), null);
  assert.equal(reason({ maxOutputTokens: 10 }, { maxOutputTokens: 11 }), "output_too_long");
  assert.equal(reason({ maxOutputTokens: 10 }, { maxOutputTokens: null }), null);
});

test("content and abilities are asked for by name", () => {
  const unmet = (card: Partial<ModelCard>): readonly string[] =>
    unmetNeeds({ ...UNKNOWN_MODEL, ...card }, { ...JOB, needs: ALL });
  assert.deepEqual(unmet({ inputModalities: ["text"] }), ["images", "audio"]);
  assert.deepEqual(unmet({ inputModalities: ["text", "image", "audio"] }), []);
  assert.deepEqual(unmet({ capabilities: { tools: false, jsonSchema: false } }), ["tools", "jsonSchema"]);
  assert.deepEqual(unmet({ capabilities: { tools: true } }), []);
  assert.equal(reason({ inputModalities: ["text"] }, { needs: { ...ALL, images: false } }), "content_unsupported");
});

test("embeddings have no answer, and each of their texts has the context to itself", () => {
  const embeddings = { endpoint: "embeddings" as const, promptTextLength: 100_000 };
  assert.equal(reason({ contextTokens: 100 }, embeddings), null);
  assert.equal(reason({ capabilities: { embeddings: true } }, embeddings), null);
  assert.equal(reason({ capabilities: { embeddings: false } }, embeddings), "content_unsupported");
  assert.equal(reason({ capabilities: { embeddings: false } }, {}), null);
});
