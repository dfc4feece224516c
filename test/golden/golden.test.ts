import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeGoldenFiles, readGolden } from "./golden-files.ts";

describe("what clients see", async () => {
  for (const { name, text } of await makeGoldenFiles()) {
    test(`is what test/golden/${name} holds`, () => {
      assert.equal(text, readGolden(name), "if this change is meant, run node scripts/golden.ts --update");
    });
  }
});

test("a stream's client who did not ask for usage sees none, and the one who did sees it once", () => {
  const usages = (name: string): number => readGolden(name)?.match(/"prompt_tokens"/g)?.length ?? -1;
  assert.equal(readGolden("answer-stream.http")?.includes('"prompt_tokens"'), false);
  assert.equal(usages("answer-stream-usage.http"), 1);
});
