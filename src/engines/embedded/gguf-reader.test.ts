import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { GgufError, type GgufRead, readGgufHead } from "./gguf-reader.ts";
import { encodeGguf, type GgufValue } from "./gguf-writer.ts";
import { estimatedBytes, readModelInfo } from "./model-info.ts";
import { TINY_MODEL_CONTEXT_TOKENS, TINY_MODEL_NAME, writeTinyModel } from "./tiny-model.ts";

const dir = mkdtempSync(join(tmpdir(), "gguf-"));
after(() => rmSync(dir, { recursive: true }));

const text = fc.string({ maxLength: 20, unit: "grapheme" });
const value: fc.Arbitrary<GgufValue> = fc.oneof(
  fc.record({ type: fc.constant("uint8" as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ type: fc.constant("int16" as const), value: fc.integer({ min: -32768, max: 32767 }) }),
  fc.record({ type: fc.constant("uint32" as const), value: fc.nat() }),
  fc.record({ type: fc.constant("float32" as const), value: fc.float({ noNaN: true }) }),
  fc.record({ type: fc.constant("float64" as const), value: fc.double({ noNaN: true }) }),
  fc.record({ type: fc.constant("int64" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ type: fc.constant("bool" as const), value: fc.boolean() }),
  fc.record({ type: fc.constant("string" as const), value: text }),
  fc.record({ type: fc.constant("array" as const), of: fc.constant("string" as const), values: fc.array(text) }),
  fc.record({ type: fc.constant("array" as const), of: fc.constant("bool" as const), values: fc.array(fc.boolean()) }),
);
const metadata = fc.dictionary(text, value, { maxKeys: 8 });

/** What a reader keeps of a value. */
function kept(from: GgufValue): GgufRead {
  if (from.type === "array")
    return {
      kind: "array",
      length: from.values.length,
      first: from.values.map((each) => kept({ type: from.of, value: each } as GgufValue)),
    };
  if (from.type === "string") return { kind: "string", value: from.value };
  if (from.type === "bool") return { kind: "bool", value: from.value };
  return { kind: "number", value: from.value };
}

test("what the writer writes is read again", () => {
  fc.assert(
    fc.property(metadata, fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }), (entries, widths) => {
      const tensors = widths.map((width, index) => ({
        name: `t${index}`,
        shape: [width, 2],
        type: "f32" as const,
        data: new Float32Array(width * 2),
      }));
      const head = readGgufHead(encodeGguf({ metadata: entries, tensors }));
      assert.deepEqual(
        [...head.metadata],
        Object.entries(entries).map(([key, each]) => [key, kept(each)]),
      );
      assert.equal(
        head.parameterCount,
        widths.reduce((sum, width) => sum + width * 2, 0),
      );
      assert.equal(head.tensorCount, widths.length);
    }),
  );
});

test("a file that is cut or changed anywhere is refused in words or read, and never anything else", () => {
  const bytes = encodeGguf({
    metadata: {
      "general.name": { type: "string", value: "some name" },
      list: { type: "array", of: "string", values: ["a", "bc"] },
      count: { type: "uint32", value: 7 },
    },
    tensors: [{ name: "t", shape: [2, 2], type: "f32", data: new Float32Array(4) }],
  });
  const calm = (given: Uint8Array): void => {
    try {
      readGgufHead(given);
    } catch (error) {
      assert.ok(error instanceof GgufError && error.message.length > 10, String(error));
    }
  };
  for (let length = 0; length < bytes.length; length++) calm(bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = byte;
      calm(changed);
    }),
    { numRuns: 2000 },
  );
});

test("counts that no file can hold are refused before anything is read for them", () => {
  const head = (tensors: bigint, entries: bigint, rest: readonly number[] = []): Uint8Array => {
    const bytes = Buffer.alloc(24 + rest.length);
    bytes.write("GGUF");
    bytes.writeUInt32LE(3, 4);
    bytes.writeBigUInt64LE(tensors, 8);
    bytes.writeBigUInt64LE(entries, 16);
    bytes.set(rest, 24);
    return bytes;
  };
  const huge = 2n ** 63n;
  assert.throws(() => readGgufHead(head(huge, 0n)), /9223372036854775808 tensors/);
  assert.throws(() => readGgufHead(head(0n, huge)), /metadata entries/);
  assert.throws(() => readGgufHead(head(0n, 1n, [255, 255, 255, 255, 255, 255, 255, 127])), /bytes in a key/);
  assert.throws(
    () => readGgufHead(head(0n, 999_999n)),
    (error) => error instanceof GgufError && error.isTruncated,
  );
  assert.throws(() => readGgufHead(Buffer.from("GGML0000")), /not a GGUF file/);
});

test("the tiny model's file says what it is, and what it takes of memory is estimated from it", () => {
  const path = join(dir, "tiny.gguf");
  writeTinyModel(path);
  const { fileBytes, parameterCount, vocabularySize, chatTemplate, ...info } = readModelInfo(path);
  assert.deepEqual(info, {
    name: TINY_MODEL_NAME,
    architecture: "llama",
    fileType: "F16",
    trainedContextTokens: TINY_MODEL_CONTEXT_TOKENS,
    layers: 3,
    heads: 4,
    keyValueHeads: 2,
    embeddingLength: 128,
    tokenizer: "gpt2",
    pooling: null,
    // 3 layers, 2 heads of 32, a key and a value each, 2 bytes a number.
    keyValueBytesPerToken: 768,
  });
  assert.ok(parameterCount > 500_000 && fileBytes > 2 * parameterCount && (vocabularySize ?? 0) > 1000);
  assert.match(chatTemplate ?? "", /tool_call/);
  const run = { sequences: 4, contextTokens: 1000 };
  assert.equal(estimatedBytes(readModelInfo(path), run), fileBytes + 4 * 1000 * 768);
});

test("a head larger than the first part that is read is read on", () => {
  const path = join(dir, "large.gguf");
  const values = Array.from({ length: 200_000 }, (_, index) => `token ${index}`);
  const content = {
    metadata: {
      "general.architecture": { type: "string", value: "llama" },
      "tokenizer.ggml.tokens": { type: "array", of: "string", values },
    },
    tensors: [],
  } as const;
  writeFileSync(path, encodeGguf(content));
  assert.equal(readModelInfo(path).vocabularySize, 200_000);
  writeFileSync(path, encodeGguf(content).subarray(0, 1_500_000));
  assert.throws(() => readModelInfo(path), /ends in the middle of its head/);
});
