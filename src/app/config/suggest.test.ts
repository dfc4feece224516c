import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./suggest.ts";

test("misspelt, differently cased and differently named keys find their key", () => {
  const keys = ["url", "key", "headers", "models", "maxConcurrent", "engine"];
  assert.equal(nearest("max_concurrent", keys), "maxConcurrent");
  assert.equal(nearest("MAXCONCURENT", keys), "maxConcurrent");
  assert.equal(nearest("heaedrs", keys), "headers");
  assert.equal(nearest("apiKey", keys), "key");
  assert.equal(nearest("base_url", keys), "url");
  assert.equal(nearest("ulr", keys), "url");
});

test("what is near nothing gets no suggestion", () => {
  assert.equal(nearest("temperature", ["url", "key"]), null);
  assert.equal(nearest("constructor", ["url"]), null);
  assert.equal(nearest("x".repeat(5000), ["x".repeat(4999)]), null);
  assert.equal(nearest("url", []), null);
});
