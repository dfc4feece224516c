import assert from "node:assert/strict";
import { test } from "node:test";
import { modelNameOf, partsOf } from "./file-names.ts";

test("a model is named like its file, whichever part that is", () => {
  assert.equal(modelNameOf("llama-Q4_K_M.gguf"), "llama-Q4_K_M");
  assert.equal(modelNameOf("big-00002-of-00003.GGUF"), "big");
  assert.equal(modelNameOf("v-00001-of-2.gguf"), "v-00001-of-2");
});

test("the parts of a file are all those of its model", () => {
  assert.deepEqual(partsOf("m.gguf"), ["m.gguf"]);
  assert.deepEqual(partsOf("m-00002-of-00002.gguf"), ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
});
