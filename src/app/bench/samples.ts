/** The percentiles of a set of latencies, in milliseconds. Each is one of the values that were seen (nearest rank). */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

const FIRST_ROOM = 1024;

/** Numbers kept whole, eight bytes each, for exact percentiles. */
export class Samples {
  #values = new Float64Array(FIRST_ROOM);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const wider = new Float64Array(this.#count * 2);
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  /** A sorted copy. */
  sorted(): Float64Array {
    return this.#values.slice(0, this.#count).toSorted();
  }

  /** Null when nothing was added: no latency is not a latency of zero. */
  summary(): Summary | null {
    if (this.#count === 0) return null;
    const sorted = this.sorted();
    const at = (percent: number): number => percentile(sorted, percent);
    const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
    return { count: sorted.length, mean, min: at(0), p50: at(50), p90: at(90), p99: at(99), max: at(100) };
  }
}

/** The nearest-rank percentile of sorted values that are not empty; `percent` is a whole number from 0 to 100. */
export function percentile(sorted: Float64Array, percent: number): number {
  const rank = Math.max(1, Math.ceil((percent * sorted.length) / 100));
  return sorted[rank - 1] as number;
}
