import type { Summary } from "./samples.ts";

/** Each power of two is cut in this many, so a value is known to within 1/64 of itself. */
const PARTS_BITS = 6;
const PARTS = 2 ** PARTS_BITS;
const TOP_US = 2 ** 32 - 1;

/**
 * Counts of durations in buckets of about 1.6 %, for what is too many to keep: there is a gap for each chunk of each answer.
 * Its size is fixed. Count, mean, minimum and maximum are exact.
 */
export class Buckets {
  readonly #counts = new Float64Array(PARTS * (33 - PARTS_BITS));
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  add(ms: number): void {
    this.#count += 1;
    this.#sum += ms;
    if (ms < this.#min) this.#min = ms;
    if (ms > this.#max) this.#max = ms;
    const index = indexOf(Math.min(TOP_US, Math.max(0, Math.round(ms * 1000))));
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** Null when nothing was added. */
  summary(): Summary | null {
    if (this.#count === 0) return null;
    const at = (percent: number): number => this.#percentile(percent);
    return {
      count: this.#count,
      mean: this.#sum / this.#count,
      min: this.#min,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      max: this.#max,
    };
  }

  #percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent * this.#count) / 100));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index += 1) {
      seen += this.#counts[index] as number;
      if (seen >= rank) return Math.min(this.#max, Math.max(this.#min, middleUs(index) / 1000));
    }
    return this.#max;
  }
}

/** Below `2 * PARTS` a bucket is one microsecond wide, then twice as wide with each power of two. */
function indexOf(us: number): number {
  const shift = Math.max(0, 31 - Math.clz32(us) - PARTS_BITS);
  return shift * PARTS + (us >>> shift);
}

function middleUs(index: number): number {
  const shift = Math.max(0, Math.floor(index / PARTS) - 1);
  const low = (index - shift * PARTS) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}
