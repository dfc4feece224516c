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

/**
 * A running 64-bit digest of texts in order, as two multiply-xor lanes over UTF-16 code units. Not cryptographic: it tells
 * two runs apart, it does not prove anything to an adversary. Owned by a journal or a simulation.
 */
export class Digest {
  #high = 0x9e3779b9;
  #low = 0x85ebca6b;

  /** Adds one text; `add("ab")` and `add("a"), add("b")` differ. */
  add(text: string): void {
    let high = this.#high ^ text.length;
    let low = this.#low ^ Math.imul(text.length, 0x27d4eb2f);
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      high = Math.imul(high ^ unit, 0x9e3779b1);
      low = Math.imul(low ^ unit, 0x5f356495);
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
