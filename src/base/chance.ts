import { assert } from "./assert.ts";
import { hash32 } from "./hash.ts";

/**
 * A seeded stream of random integers: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2018), seeded through splitmix32. One stream per purpose, so that a new draw in one place does not move the others. Owned
 * by the world that draws; never used from the kernel unless the stream came in as configuration.
 */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed` is any string or number; `purpose` names the stream. */
  constructor(seed: string | number, purpose: string) {
    let state = hash32(`${seed}/${purpose}`);
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** A uniform 32-bit unsigned integer. */
  next(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return result;
  }

  /** A uniform integer from `low` to `high`, both included, spanning at most 2^32. */
  integer(low: number, high: number): number {
    assert(Number.isSafeInteger(low) && Number.isSafeInteger(high) && low <= high, `bad range ${low}..${high}`);
    const span = high - low + 1;
    assert(span <= 2 ** 32, `range ${low}..${high} is wider than 32 bits`);
    const limit = 2 ** 32 - (2 ** 32 % span);
    let draw = this.next();
    while (draw >= limit) draw = this.next();
    return low + (draw % span);
  }

  /** True `numerator` times in `denominator`. */
  odds(numerator: number, denominator: number): boolean {
    return this.integer(1, denominator) <= numerator;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, "pick from nothing");
    return items[this.integer(0, items.length - 1)] as T;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
