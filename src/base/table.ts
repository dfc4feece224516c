/**
 * A Map by text for things that come and go all the time, such as requests; the same order, the same iteration.
 *
 * A Map makes a new table inside each time it fills up with deleted entries, and the old table, garbage by then, still points
 * to the new one and to the values it had. Once such a table has reached V8's old generation, every later one is kept with all
 * its values until a full collection: each request was held for seconds, and copying it cost more than serving it did. Here
 * the inner Map has slot numbers only, and a slot that is given up is emptied.
 */
export class Table<V extends object> {
  readonly #slotOf = new Map<string, number>();
  readonly #slots: (V | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slotOf.size;
  }

  has(key: string): boolean {
    return this.#slotOf.has(key);
  }

  get(key: string): V | undefined {
    const slot = this.#slotOf.get(key);
    return slot === undefined ? undefined : (this.#slots[slot] as V);
  }

  /** Sets the value of a key; one that was there keeps its place in the order. */
  set(key: string, value: V): void {
    const slot = this.#slotOf.get(key) ?? this.#free.pop() ?? this.#slots.length;
    this.#slotOf.set(key, slot);
    this.#slots[slot] = value;
  }

  /** Returns whether the key was there. */
  delete(key: string): boolean {
    const slot = this.#slotOf.get(key);
    if (slot === undefined) return false;
    this.#slotOf.delete(key);
    this.#slots[slot] = null;
    this.#free.push(slot);
    return true;
  }

  /** The keys in the order in which they came. */
  keys(): IterableIterator<string> {
    return this.#slotOf.keys();
  }

  /** The values in the order in which their keys came. */
  *values(): Generator<V, void> {
    for (const slot of this.#slotOf.values()) yield this.#slots[slot] as V;
  }
}
