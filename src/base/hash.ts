/** 32-bit FNV-1a over UTF-16 code units with a final avalanche. Not cryptographic: for seeds and buckets. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const ENCODER = new TextEncoder();
// Holds the bytes of the text that is being added, and nothing between two calls.
let scratch = new Uint32Array(4096);
let scratchBytes = new Uint8Array(scratch.buffer);

/** The text's UTF-8 in `scratch`, filled up with zeros to whole words; returns how many words. */
function toWords(text: string): number {
  const mostBytes = text.length * 3 + 4;
  if (scratchBytes.length < mostBytes) {
    scratch = new Uint32Array(Math.ceil(mostBytes / 4));
    scratchBytes = new Uint8Array(scratch.buffer);
  }
  const { written } = ENCODER.encodeInto(text, scratchBytes);
  const words = (written + 3) >>> 2;
  scratchBytes.fill(0, written, words * 4);
  return words;
}

/**
 * A running 64-bit digest of texts in order, as two multiply-xor lanes over the 32-bit words (little-endian, as every machine is
 * that this runs on) of their UTF-8. Lone surrogates are all the same to it; JSON has none. Not cryptographic: it tells two runs
 * apart, it does not prove anything to an adversary. Owned by a journal or a simulation.
 */
export class Digest {
  #high = 0x9e3779b9;
  #low = 0x85ebca6b;

  /** Adds one text; `add("ab")` and `add("a"), add("b")` differ. */
  add(text: string): void {
    let high = this.#high ^ text.length;
    let low = this.#low ^ Math.imul(text.length, 0x27d4eb2f);
    const words = text === "" ? 0 : toWords(text);
    for (let index = 0; index < words; index += 1) {
      const word = scratch[index] as number;
      high = Math.imul(high ^ word, 0x9e3779b1);
      low = Math.imul(low ^ word, 0x5f356495);
      // A product carries upwards only; this takes what is in the upper bits down again.
      high ^= high >>> 15;
      low ^= low >>> 13;
    }
    this.#high = Math.imul(high ^ (high >>> 15) ^ low, 0x85ebca77);
    this.#low = Math.imul(low ^ (low >>> 13) ^ high, 0xc2b2ae3d);
  }

  /** Sixteen hexadecimal digits. */
  hex(): string {
    const part = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return part(this.#high) + part(this.#low);
  }

  /** State for a snapshot. */
  state(): readonly [number, number] {
    return [this.#high, this.#low];
  }

  static from(state: readonly [number, number]): Digest {
    const digest = new Digest();
    digest.#high = state[0];
    digest.#low = state[1];
    return digest;
  }
}

/** The digest of one text. */
export function digestOf(text: string): string {
  const digest = new Digest();
  digest.add(text);
  return digest.hex();
}
