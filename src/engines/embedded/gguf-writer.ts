/**
 * A writer of GGUF version 3, the file format of llama.cpp: a header, key-value metadata, tensor descriptions, then tensor
 * data. It knows the two float types only; it exists so that a model can be made on a bare machine, not to quantise one.
 */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { assert } from "../../base/assert.ts";

/** Tensor data starts, and each tensor within it starts, at a multiple of this many bytes: the format's own default. */
const ALIGNMENT_BYTES = 32;
const MAGIC = 0x46554747; // "GGUF", read as a little-endian integer.
const VERSION = 3;

/** The number by which the format names each type of value. */
const VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;
const ARRAY_TYPE = 9;
const TENSOR_TYPES = { f32: 0, f16: 1 } as const;

/** A metadata value that is not an array. */
export type GgufScalar =
  | {
      readonly type: "uint8" | "int8" | "uint16" | "int16" | "uint32" | "int32" | "float32" | "float64";
      readonly value: number;
    }
  | { readonly type: "uint64" | "int64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string };

/** A metadata array; all its values have the type `of`. */
export type GgufArray =
  | { readonly type: "array"; readonly of: "string"; readonly values: readonly string[] }
  | { readonly type: "array"; readonly of: "int32" | "uint32" | "float32"; readonly values: readonly number[] }
  | { readonly type: "array"; readonly of: "bool"; readonly values: readonly boolean[] };

/** A metadata value with its type, since `1` alone does not say how many bytes it takes. */
export type GgufValue = GgufScalar | GgufArray;

/** One tensor. `shape` has the fastest-varying dimension first, as the format has it: [inputs, outputs] for a weight matrix. */
export type GgufTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: "f32" | "f16";
  readonly data: Float32Array;
};

/** What a file holds. The order of keys and tensors is the order in the file, so equal input gives equal bytes. */
export type GgufContent = {
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
};

/** The bytes of a GGUF file. Throws `AssertionFailure` if a tensor's data does not fill its shape. */
export function encodeGguf(content: GgufContent): Uint8Array {
  const out = new ByteWriter();
  const entries = Object.entries(content.metadata);
  out.uint32(MAGIC);
  out.uint32(VERSION);
  out.uint64(BigInt(content.tensors.length));
  out.uint64(BigInt(entries.length));
  for (const [key, value] of entries) {
    out.string(key);
    writeValue(out, value);
  }
  let offsetBytes = 0;
  for (const tensor of content.tensors) {
    describeTensor(out, tensor, offsetBytes);
    offsetBytes += aligned(tensor.data.length * bytesPerElement(tensor.type));
  }
  for (const tensor of content.tensors) {
    out.align(ALIGNMENT_BYTES);
    for (const element of tensor.data) {
      if (tensor.type === "f16") out.uint16(halfBits(element));
      else out.float32(element);
    }
  }
  out.align(ALIGNMENT_BYTES);
  return out.bytes();
}

/**
 * Writes `content` to `path` so that a reader sees either no file, the old one or the whole new one, whatever fails between.
 * Throws the file system's error.
 */
export function writeGgufFile(path: string, content: GgufContent): void {
  const unfinishedPath = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(unfinishedPath, encodeGguf(content));
    renameSync(unfinishedPath, path);
  } catch (error) {
    rmSync(unfinishedPath, { force: true });
    throw error;
  }
}

/** The nearest IEEE 754 half-precision number to `value`, ties to even, as its 16 bits. */
export function halfBits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65,520 is the smallest number that rounds up to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 a half has no hidden bit: it counts steps of 2^-24, and rounding up into 0x400 is the smallest normal.
  if (magnitude < 0x38800000) return sign | roundHalfToEven(Math.abs(scratch.getFloat32(0)) * 2 ** 24);
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

const scratch = new DataView(new ArrayBuffer(4));

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function describeTensor(out: ByteWriter, tensor: GgufTensor, offsetBytes: number): void {
  const elements = tensor.shape.reduce((product, dimension) => product * dimension, 1);
  assert(
    elements === tensor.data.length,
    `tensor ${tensor.name} has ${tensor.data.length} values for ${elements} places`,
  );
  out.string(tensor.name);
  out.uint32(tensor.shape.length);
  for (const dimension of tensor.shape) out.uint64(BigInt(dimension));
  out.uint32(TENSOR_TYPES[tensor.type]);
  out.uint64(BigInt(offsetBytes));
}

function writeValue(out: ByteWriter, value: GgufValue): void {
  if (value.type !== "array") {
    out.uint32(VALUE_TYPES[value.type]);
    writeScalar(out, value);
    return;
  }
  out.uint32(ARRAY_TYPE);
  out.uint32(VALUE_TYPES[value.of]);
  out.uint64(BigInt(value.values.length));
  for (const item of value.values) writeScalar(out, { type: value.of, value: item } as GgufScalar);
}

function writeScalar(out: ByteWriter, scalar: GgufScalar): void {
  switch (scalar.type) {
    case "string":
      return out.string(scalar.value);
    case "bool":
      return out.uint8(scalar.value ? 1 : 0);
    case "uint64":
      return out.uint64(scalar.value);
    case "int64":
      return out.uint64(BigInt.asUintN(64, scalar.value));
    case "float32":
      return out.float32(scalar.value);
    case "float64":
      return out.float64(scalar.value);
    case "uint8":
    case "int8":
      return out.uint8(scalar.value);
    case "uint16":
    case "int16":
      return out.uint16(scalar.value);
    case "uint32":
    case "int32":
      return out.uint32(scalar.value);
  }
}

function bytesPerElement(type: GgufTensor["type"]): number {
  return type === "f16" ? 2 : 4;
}

function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** A growing little-endian buffer. Owned by one call of `encodeGguf`. */
class ByteWriter {
  #buffer = new Uint8Array(1 << 20);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  uint8(value: number): void {
    const at = this.#claim(1);
    this.#view.setUint8(at, value);
  }
  uint16(value: number): void {
    const at = this.#claim(2);
    this.#view.setUint16(at, value, true);
  }
  uint32(value: number): void {
    const at = this.#claim(4);
    this.#view.setUint32(at, value, true);
  }
  uint64(value: bigint): void {
    const at = this.#claim(8);
    this.#view.setBigUint64(at, value, true);
  }
  float32(value: number): void {
    const at = this.#claim(4);
    this.#view.setFloat32(at, value, true);
  }
  float64(value: number): void {
    const at = this.#claim(8);
    this.#view.setFloat64(at, value, true);
  }
  string(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.uint64(BigInt(encoded.length));
    const at = this.#claim(encoded.length);
    this.#buffer.set(encoded, at);
  }
  /** Pads with zeros, which the buffer is made of, to a multiple of `alignmentBytes`. */
  align(alignmentBytes: number): void {
    this.#claim((alignmentBytes - (this.#length % alignmentBytes)) % alignmentBytes);
  }
  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** Makes room and says where it starts. It may replace buffer and view, so it comes before either is read. */
  #claim(sizeBytes: number): number {
    const start = this.#length;
    this.#length += sizeBytes;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }
}
