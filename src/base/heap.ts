import { assert } from "./assert.ts";

interface Entry<T> {
  readonly atUs: number;
  readonly sequence: number;
  readonly value: T;
}

/**
 * A min-heap of values by time, equal times in insertion order. Owned by whoever schedules: the simulated world keeps its
 * events in one.
 */
export class TimeHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #sequence = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** Time of the earliest value in microseconds, or null when empty. */
  peekUs(): number | null {
    return this.#entries[0]?.atUs ?? null;
  }

  push(atUs: number, value: T): void {
    assert(Number.isSafeInteger(atUs), `heap time must be integer microseconds, got ${atUs}`);
    const entries = this.#entries;
    const entry = { atUs, sequence: this.#sequence++, value };
    let index = entries.length;
    entries.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = entries[parent] as Entry<T>;
      if (!before(entry, above)) break;
      entries[index] = above;
      index = parent;
    }
    entries[index] = entry;
  }

  /** Removes and returns the earliest value with its time, or null when empty. */
  pop(): { readonly atUs: number; readonly value: T } | null {
    const entries = this.#entries;
    const top = entries[0];
    if (top === undefined) return null;
    const last = entries.pop() as Entry<T>;
    if (entries.length > 0) this.#sink(last);
    return { atUs: top.atUs, value: top.value };
  }

  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= entries.length) break;
      const right = child + 1;
      if (right < entries.length && before(entries[right] as Entry<T>, entries[child] as Entry<T>)) child = right;
      const below = entries[child] as Entry<T>;
      if (!before(below, entry)) break;
      entries[index] = below;
      index = child;
    }
    entries[index] = entry;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence);
}
