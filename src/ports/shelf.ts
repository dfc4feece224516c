/** A JSON document. */
export type Document = Readonly<Record<string, unknown>>;

/** What is kept: files that clients sent, batches, and answers that were asked to be stored. */
export type ShelfKind = "files" | "batches" | "responses";

/** Where something is kept. `id` is letters, digits, `-` and `_`; those that are made later sort behind. */
export interface ShelfKey {
  readonly kind: ShelfKind;
  readonly tenant: string;
  readonly id: string;
}

/**
 * Keeps documents, each with content beside it or without, by kind and tenant. Contract: what `put` and `keep` resolved for survives
 * kill -9 and power loss; a document is there whole or not at all; every call rejects when the disk cannot be read or written.
 */
export interface Shelf {
  put(key: ShelfKey, document: Document): Promise<void>;
  get(key: ShelfKey): Promise<Document | null>;
  /** Ids of a tenant's documents, the newest first. */
  ids(kind: ShelfKind, tenant: string): Promise<readonly string[]>;
  /** Every document of a kind, whosever it is. */
  all(kind: ShelfKind): Promise<readonly { readonly key: ShelfKey; readonly document: Document }[]>;
  /** Forgets the documents of a kind that were put before a time, in milliseconds since 1970, whosever they are. */
  removeBefore(kind: ShelfKind, wallMs: number): Promise<void>;
  /** Forgets a document and its content; false when it was not there. */
  remove(key: ShelfKey): Promise<boolean>;
  /** Takes the file at `path`, which is gone then, as the content of the document that is put here next. */
  keep(key: ShelfKey, path: string): Promise<void>;
  /** Path of a document's content, for reading. */
  contentPath(key: ShelfKey): string;
  /** Path for content that is still being made, on the same disk; it outlives a restart. */
  draftPath(name: string): string;
  /** Bytes that there is room for. */
  readonly freeBytes: number;
}
