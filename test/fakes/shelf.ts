import type { Document, Shelf, ShelfKey, ShelfKind } from "../../src/ports/shelf.ts";

/** A shelf in memory, whose disk does as the test says; it keeps no content. */
export class FakeShelf implements Shelf {
  readonly #documents = new Map<
    string,
    { readonly key: ShelfKey; readonly document: Document; readonly putAt: number }
  >();
  freeBytes = 1_000_000;
  /** Why nothing can be read or written, or null. */
  trouble: string | null = null;
  /** What a write waits for. */
  gate: Promise<void> = Promise.resolve();

  async put(key: ShelfKey, document: Document): Promise<void> {
    await this.gate;
    this.#check();
    // As a disk has it: what changes afterwards is not what was put.
    const copy = JSON.parse(JSON.stringify(document)) as Document;
    this.#documents.set(nameOf(key), { key, document: copy, putAt: Date.now() });
  }

  async get(key: ShelfKey): Promise<Document | null> {
    this.#check();
    return this.#documents.get(nameOf(key))?.document ?? null;
  }

  async ids(kind: ShelfKind, tenant: string): Promise<readonly string[]> {
    const all = await this.all(kind);
    const ids = all.filter(({ key }) => key.tenant === tenant).map(({ key }) => key.id);
    return ids.toSorted().toReversed();
  }

  async all(kind: ShelfKind): Promise<readonly { readonly key: ShelfKey; readonly document: Document }[]> {
    this.#check();
    return [...this.#documents.values()].filter(({ key }) => key.kind === kind);
  }

  async removeBefore(kind: ShelfKind, wallMs: number): Promise<void> {
    this.#check();
    for (const [name, { key, putAt }] of this.#documents) {
      if (key.kind === kind && putAt < wallMs) this.#documents.delete(name);
    }
  }

  async remove(key: ShelfKey): Promise<boolean> {
    this.#check();
    return this.#documents.delete(nameOf(key));
  }

  keep(): Promise<void> {
    return Promise.reject(new Error("this shelf keeps no content"));
  }

  contentPath(): string {
    throw new Error("this shelf keeps no content");
  }

  draftPath(): string {
    throw new Error("this shelf keeps no content");
  }

  #check(): void {
    if (this.trouble !== null) throw new Error(this.trouble);
  }
}

function nameOf({ kind, tenant, id }: ShelfKey): string {
  return `${kind} ${id} ${tenant}`;
}
