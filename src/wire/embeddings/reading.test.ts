import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EmbeddingsReading } from "./reading.ts";

test("embeddings pass as they came, and are metered by their input", () => {
  const body = Buffer.from('{"data":[{"embedding":[0.1]},{"embedding":"AAAA"}],"usage":{"prompt_tokens":5}}');
  const reading = new EmbeddingsReading();
  assert.deepEqual(reading.whole(body), { kind: "done", bytes: body });
  assert.deepEqual([reading.reported?.inputTokens, reading.reported?.outputTokens], [5, 0]);
});

test("usage that was not told is unknown, not zero", () => {
  const reading = new EmbeddingsReading();
  reading.whole(Buffer.from('{"data":[]}'));
  assert.equal(reading.reported?.inputTokens, null);
});

test("anything else is broken, and nothing throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const each of [value, { error: value }, { data: value }, { data: [value] }]) {
        const verdict = new EmbeddingsReading().whole(Buffer.from(JSON.stringify(each)));
        assert.ok(verdict.kind === "broken" || Array.isArray((each as { data?: unknown }).data));
      }
    }),
  );
});
