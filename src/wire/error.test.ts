import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorEnvelope, relayedEnvelope } from "./error.ts";

const relayed = (status: number, body: unknown): unknown =>
  relayedEnvelope(status, Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));

test("an envelope says what happened, its detail, and what to do", () => {
  assert.deepEqual(errorEnvelope("model_not_found", { detail: "gpt-9", param: "model" }), {
    error: {
      message:
        "No backend serves this model: gpt-9. Ask GET /v1/models for the names, or add the model to a backend in baseload.yaml.",
      type: "invalid_request_error",
      param: "model",
      code: "model_not_found",
    },
  });
});

test("an upstream's error in OpenAI's shape keeps every member", () => {
  const error = { message: "too hot", type: "x", param: "temperature", code: "hot", extra: { a: 1 } };
  assert.deepEqual(relayed(400, { error }), { error });
});

test("members that such an error leaves out are filled in by its status", () => {
  const filled = (status: number): unknown => relayed(status, { error: { message: "m" } });
  assert.deepEqual(filled(400), { error: { message: "m", type: "invalid_request_error", param: null, code: null } });
  assert.deepEqual(filled(429), { error: { message: "m", type: "rate_limit_error", param: null, code: null } });
  assert.deepEqual(filled(500), { error: { message: "m", type: "server_error", param: null, code: null } });
});

test("the words of other engines' shapes are put into OpenAI's", () => {
  const shapes = [
    { object: "error", message: "words", type: "BadRequestError", param: null, code: 400 },
    { detail: "words" },
    { error: "words" },
    { message: "words" },
  ];
  for (const shape of shapes) {
    assert.deepEqual(relayed(422, shape), {
      error: { message: "words", type: "invalid_request_error", param: null, code: "upstream_error" },
    });
  }
});

test("what has no words gets ours, and a web page is not repeated", () => {
  for (const body of [
    "<html><h1>Bad gateway</h1>",
    "",
    "null",
    "3",
    '{"error":{}}',
    '{"detail":[{"loc":["body"]}]}',
    "[]",
  ]) {
    assert.deepEqual(relayed(502, body), {
      error: {
        message: "The backend answered with status 502.",
        type: "server_error",
        param: null,
        code: "upstream_error",
      },
    });
  }
});

test("any body becomes an envelope with a message", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.integer({ min: 400, max: 599 }), (body, status) => {
      const { error } = relayed(status, body) as { error: { message: unknown } };
      assert.equal(typeof error.message, "string");
    }),
  );
});
