/**
 * Reads the head of a GGUF file: its metadata and its tensors' descriptions, without the weights. A pure parser over bytes
 * that may be hostile: every count and length is checked against what is there before anything is read or kept.
 */

/** A metadata value. Of an array only its first values are kept; `length` is how many the file has. */
export type GgufRead =
  | { readonly kind: "number"; readonly value: number | bigint }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "array"; readonly length: number; readonly first: readonly GgufRead[] };

/** The head of a file. */
export type GgufHead = {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufRead>;
  readonly tensorCount: number;
  /** Weights of all tensors together. */
  readonly parameterCount: number;
};

/** A file that cannot be read, in words for whoever chose it. */
export class GgufError extends Error {
  override readonly name = "GgufError";
  /** Whether more bytes of the same file might have been enough. */
  readonly isTruncated: boolean;

  constructor(message: string, isTruncated = false) {
    super(message);
    this.isTruncated = isTruncated;
  }
}

const ARRAY_TYPE = 9;
const STRING_TYPE = 8;
/** Bytes of a value of each fixed type, by the format's number for it. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
/** More of either than any model has. */
const COUNT_MAX = 1_000_000;
/** Vocabularies have some hundred thousand entries. */
const ARRAY_MAX = 100_000_000;
const KEY_BYTES_MAX = 65_535;
const DIMENSIONS_MAX = 4;
const ARRAYS_DEEP_MAX = 4;
/** What is kept of an array: enough for one number a layer. */
const KEPT = 1024;

/** Reads the head that `bytes` begin with. Throws `GgufError`. */
export function readGgufHead(bytes: Uint8Array): GgufHead {
  const cursor = new Cursor(bytes);
  if (cursor.text(4) !== "GGUF") throw new GgufError("it is not a GGUF file");
  const version = cursor.uint32();
  if (version < 2 || version > 3) throw new GgufError(`it is of GGUF version ${version}; 2 and 3 can be read`);
  const tensorCount = cursor.count("tensors", COUNT_MAX);
  const entries = cursor.count("metadata entries", COUNT_MAX);
  const metadata = new Map<string, GgufRead>();
  for (let index = 0; index < entries; index++) {
    const key = cursor.string("a key", KEY_BYTES_MAX);
    if (metadata.has(key)) throw new GgufError(`it has the metadata key ${JSON.stringify(key.slice(0, 64))} twice`);
    metadata.set(key, readValue(cursor, cursor.uint32(), 0));
  }
  let parameterCount = 0;
  for (let index = 0; index < tensorCount; index++) parameterCount += readTensor(cursor);
  if (!Number.isSafeInteger(parameterCount)) throw new GgufError("its tensors have more weights than can be counted");
  return { version, metadata, tensorCount, parameterCount };
}

/** Reads one tensor's description and says how many weights it has. */
function readTensor(cursor: Cursor): number {
  cursor.string("a tensor's name", KEY_BYTES_MAX);
  const dimensions = cursor.uint32();
  if (dimensions > DIMENSIONS_MAX) throw new GgufError(`a tensor has ${dimensions} dimensions`);
  let weights = 1;
  for (let index = 0; index < dimensions; index++) weights *= cursor.count("weights", Number.MAX_SAFE_INTEGER);
  cursor.skip(4 + 8);
  return weights;
}

function readValue(cursor: Cursor, type: number, depth: number): GgufRead {
  if (type === STRING_TYPE) return { kind: "string", value: cursor.string("a value", ARRAY_MAX) };
  if (type === ARRAY_TYPE) return readArray(cursor, depth);
  return cursor.fixed(type);
}

function readArray(cursor: Cursor, depth: number): GgufRead {
  if (depth >= ARRAYS_DEEP_MAX) throw new GgufError("its metadata has arrays nested too deep");
  const of = cursor.uint32();
  const length = cursor.count("array values", ARRAY_MAX);
  const size = FIXED_BYTES[of];
  const first: GgufRead[] = [];
  for (let index = 0; index < Math.min(length, KEPT); index++) first.push(readValue(cursor, of, depth + 1));
  const rest = length - first.length;
  if (rest > 0 && size !== undefined) cursor.skip(rest * size);
  else for (let index = 0; index < rest; index++) skipValue(cursor, of, depth + 1);
  return { kind: "array", length, first };
}

function skipValue(cursor: Cursor, type: number, depth: number): void {
  if (type === STRING_TYPE) cursor.skip(cursor.count("bytes of a text", ARRAY_MAX));
  else readValue(cursor, type, depth);
}

/** Reads little-endian values one after another. Owned by one call of `readGgufHead`. */
class Cursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint32(): number {
    return this.#view.getUint32(this.#claim(4), true);
  }

  /** A 64-bit count of at most `most`. */
  count(what: string, most: number): number {
    const count = this.#view.getBigUint64(this.#claim(8), true);
    if (count > BigInt(most)) throw new GgufError(`it says that it has ${count} ${what}, which no model has`);
    return Number(count);
  }

  string(what: string, bytesMax: number): string {
    return this.text(this.count(`bytes in ${what}`, bytesMax));
  }

  text(sizeBytes: number): string {
    const start = this.#claim(sizeBytes);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + sizeBytes));
  }

  skip(sizeBytes: number): void {
    this.#claim(sizeBytes);
  }

  fixed(type: number): GgufRead {
    const size = FIXED_BYTES[type];
    if (size === undefined) throw new GgufError(`its metadata has a value of the unknown type ${type}`);
    const at = this.#claim(size);
    if (type === 7) return { kind: "bool", value: this.#view.getUint8(at) !== 0 };
    return { kind: "number", value: this.#number(type, at) };
  }

  #number(type: number, at: number): number | bigint {
    const view = this.#view;
    const readers: Readonly<Record<number, () => number | bigint>> = {
      0: () => view.getUint8(at),
      1: () => view.getInt8(at),
      2: () => view.getUint16(at, true),
      3: () => view.getInt16(at, true),
      4: () => view.getUint32(at, true),
      5: () => view.getInt32(at, true),
      6: () => view.getFloat32(at, true),
      10: () => view.getBigUint64(at, true),
      11: () => view.getBigInt64(at, true),
      12: () => view.getFloat64(at, true),
    };
    return readers[type]?.() ?? 0;
  }

  #claim(sizeBytes: number): number {
    const start = this.#at;
    if (start + sizeBytes > this.#bytes.length) throw new GgufError("it ends in the middle of its head", true);
    this.#at += sizeBytes;
    return start;
  }
}
