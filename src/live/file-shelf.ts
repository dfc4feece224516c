import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import type { Document, Shelf, ShelfKey, ShelfKind } from "../ports/shelf.ts";

const ID = /^[A-Za-z0-9_-]{1,100}$/;
const DOCUMENT = ".json";
const CONTENT = ".content";

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}

/**
 * A shelf in a folder: `KIND/TENANT/ID.json`, with `ID.content` beside it. A tenant's folder is named by a hash, since tenants
 * may be named anything; the document says whose it is. Owned by the composition root.
 */
export class FileShelf implements Shelf {
  readonly #root: string;
  readonly #maxBytes: number;
  #usedBytes = 0;
  #drafts = 0;

  private constructor(root: string, maxBytes: number) {
    this.#root = root;
    this.#maxBytes = maxBytes;
  }

  /** Opens the shelf in `root`, which is made when it is not there. */
  static async open(root: string, maxBytes: number): Promise<FileShelf> {
    const shelf = new FileShelf(root, maxBytes);
    mkdirSync(join(root, "drafts"), { recursive: true, mode: 0o700 });
    for (const path of await pathsUnder(root)) shelf.#usedBytes += (await stat(path)).size;
    return shelf;
  }

  get freeBytes(): number {
    return Math.max(0, this.#maxBytes - this.#usedBytes);
  }

  async put(key: ShelfKey, document: Document): Promise<void> {
    const path = this.#path(key, DOCUMENT);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    const before = await sizeOf(path);
    this.#drafts += 1;
    const draft = this.draftPath(`${key.id}.${this.#drafts}${DOCUMENT}`);
    const text = JSON.stringify({ tenant: key.tenant, document });
    await writeDurably(draft, text);
    await moveDurably(draft, path);
    this.#usedBytes += Buffer.byteLength(text) - before;
  }

  async get(key: ShelfKey): Promise<Document | null> {
    if (!ID.test(key.id)) return null;
    const kept = await this.#read(this.#path(key, DOCUMENT));
    return kept === null ? null : kept.document;
  }

  async ids(kind: ShelfKind, tenant: string): Promise<readonly string[]> {
    const names = await namesIn(this.#folder(kind, tenant));
    const ids = names.filter((name) => name.endsWith(DOCUMENT)).map((name) => name.slice(0, -DOCUMENT.length));
    return ids.toSorted().toReversed();
  }

  async all(kind: ShelfKind): Promise<readonly { readonly key: ShelfKey; readonly document: Document }[]> {
    const found: { key: ShelfKey; document: Document }[] = [];
    for (const path of await pathsUnder(join(this.#root, kind))) {
      if (!path.endsWith(DOCUMENT)) continue;
      const kept = await this.#read(path);
      const id = path.slice(path.lastIndexOf("/") + 1, -DOCUMENT.length);
      if (kept !== null) found.push({ key: { kind, tenant: kept.tenant, id }, document: kept.document });
    }
    return found;
  }

  async removeBefore(kind: ShelfKind, wallMs: number): Promise<void> {
    for (const path of await pathsUnder(join(this.#root, kind))) {
      // The file's own time is when it was put; no document has to be read to be forgotten.
      if (!path.endsWith(DOCUMENT) || (await writtenAt(path)) >= wallMs) continue;
      await this.#forget(path, path.slice(0, -DOCUMENT.length) + CONTENT);
    }
  }

  async remove(key: ShelfKey): Promise<boolean> {
    return ID.test(key.id) && this.#forget(this.#path(key, DOCUMENT), this.#path(key, CONTENT));
  }

  async #forget(path: string, content: string): Promise<boolean> {
    const bytes = (await sizeOf(path)) + (await sizeOf(content));
    try {
      await rm(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
    await rm(content, { force: true });
    this.#usedBytes -= bytes;
    return true;
  }

  async keep(key: ShelfKey, path: string): Promise<void> {
    const to = this.#path(key, CONTENT);
    await mkdir(join(to, ".."), { recursive: true, mode: 0o700 });
    await syncPath(path);
    const bytes = (await stat(path)).size;
    await moveDurably(path, to);
    this.#usedBytes += bytes;
  }

  contentPath(key: ShelfKey): string {
    return this.#path(key, CONTENT);
  }

  draftPath(name: string): string {
    return join(this.#root, "drafts", name);
  }

  #folder(kind: ShelfKind, tenant: string): string {
    return join(this.#root, kind, createHash("sha256").update(tenant).digest("hex").slice(0, 32));
  }

  #path(key: ShelfKey, ending: string): string {
    assert(ID.test(key.id), "an id is checked before it becomes a path");
    return join(this.#folder(key.kind, key.tenant), key.id + ending);
  }

  async #read(path: string): Promise<{ readonly tenant: string; readonly document: Document } | null> {
    try {
      return JSON.parse(await readFile(path, "utf8")) as { tenant: string; document: Document };
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  }
}

/** When a file was written, in milliseconds since 1970; never, once it is gone. */
async function writtenAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return Infinity;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Paths of all files under a folder. */
async function pathsUnder(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  await syncing(file, () => file.writeFile(text));
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  await syncing(file, () => Promise.resolve());
}

async function syncing(file: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable once the folder that holds the new name is. */
async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncPath(join(to, ".."));
}
