import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readGgufFileInfo } from "node-llama-cpp";
import { encodeGguf, halfBits, writeGgufFile } from "./gguf-writer.ts";

test("what is written is what another reader reads", async (context) => {
  const dir = mkdtempSync(join(tmpdir(), "gguf-"));
  context.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "all.gguf");
  writeGgufFile(path, {
    metadata: {
      "general.architecture": { type: "string", value: "llama" },
      "x.uint8": { type: "uint8", value: 200 },
      "x.int8": { type: "int8", value: -100 },
      "x.uint16": { type: "uint16", value: 60000 },
      "x.int16": { type: "int16", value: -30000 },
      "x.uint32": { type: "uint32", value: 4_000_000_000 },
      "x.int32": { type: "int32", value: -2_000_000_000 },
      "x.float32": { type: "float32", value: 0.5 },
      "x.float64": { type: "float64", value: Math.PI },
      "x.uint64": { type: "uint64", value: 2n ** 60n },
      "x.int64": { type: "int64", value: -5n },
      "x.bool": { type: "bool", value: true },
      "x.text": { type: "string", value: "Grüße 🌞" },
      "x.texts": { type: "array", of: "string", values: ["a", "Ġb"] },
      "x.numbers": { type: "array", of: "int32", values: [1, -2] },
      "x.flags": { type: "array", of: "bool", values: [true, false] },
    },
    tensors: [
      { name: "one", shape: [3], type: "f16", data: new Float32Array([1, 2, 3]) },
      { name: "two", shape: [2, 2], type: "f32", data: new Float32Array([1, 2, 3, 4]) },
    ],
  });
  const info = await readGgufFileInfo(path, { logWarnings: false });
  const metadata = info.metadata as unknown as Record<string, Record<string, unknown>>;
  const read = Object.fromEntries(
    Object.entries(metadata["x"] ?? {}).map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
  );
  assert.deepEqual(read, {
    uint8: 200,
    int8: -100,
    uint16: 60000,
    int16: -30000,
    uint32: 4_000_000_000,
    int32: -2_000_000_000,
    float32: 0.5,
    float64: Math.PI,
    uint64: 2 ** 60,
    int64: -5,
    bool: true,
    text: "Grüße 🌞",
    texts: ["a", "Ġb"],
    numbers: [1, -2],
    flags: [true, false],
  });
  const tensors = (info.fullTensorInfo ?? []).map(({ name, dimensions, offset }) => ({
    name,
    dimensions: dimensions.map(Number),
    offset: Number(offset),
  }));
  assert.deepEqual(tensors, [
    { name: "one", dimensions: [3], offset: 0 },
    { name: "two", dimensions: [2, 2], offset: 32 },
  ]);
  assert.deepEqual(readdirSync(dir), ["all.gguf"], "no unfinished file is left");
});

test("a tensor that does not fill its shape is refused", () => {
  const tensor = { name: "short", shape: [4], type: "f32", data: new Float32Array(3) } as const;
  assert.throws(() => encodeGguf({ metadata: {}, tensors: [tensor] }), /short has 3 values for 4 places/);
});

test("half precision rounds to the nearest, ties to even", () => {
  const cases: readonly [number, number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [Infinity, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [NaN, 0x7e00],
    [2 ** -14 - 2 ** -26, 0x0400],
    [0.1, 0x2e66],
  ];
  for (const [value, bits] of cases) assert.equal(halfBits(value), bits, String(value));
});
