import { randomUUID } from "node:crypto";
import type { Document, Shelf, ShelfKey } from "../ports/shelf.ts";

/** A file as clients see it (OpenAI API reference, "The file object"); times are in seconds since 1970. */
export interface StoredFile {
  readonly id: string;
  readonly object: "file";
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly filename: string;
  readonly purpose: string;
  readonly status: "processed";
}

let made = 0;

/** A new id that sorts behind those made before it in this process and, by wall time, before. */
export function newId(prefix: "file-" | "batch_", nowMs: number): string {
  made += 1;
  const time = nowMs.toString(16).padStart(12, "0");
  const turn = (made % 65_536).toString(16).padStart(4, "0");
  return `${prefix}${time}${turn}${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** Where a tenant's file is kept. */
export function fileKey(tenant: string, id: string): ShelfKey {
  return { kind: "files", tenant, id };
}

/** Puts a file whose content is kept already. */
export async function putFile(
  shelf: Shelf,
  key: ShelfKey,
  file: Omit<StoredFile, "id" | "object" | "status">,
): Promise<StoredFile> {
  const stored: StoredFile = { id: key.id, object: "file", status: "processed", ...file };
  await shelf.put(key, { ...stored });
  return stored;
}

/** A file, or null when this tenant has none of this id, or it has expired. */
export async function findFile(shelf: Shelf, key: ShelfKey, nowSeconds: number): Promise<StoredFile | null> {
  const document = await shelf.get(key);
  if (document === null) return null;
  const file = fileOf(document);
  return file.expires_at !== null && file.expires_at <= nowSeconds ? null : file;
}

/** The file of a document that `putFile` wrote. */
export function fileOf(document: Document): StoredFile {
  return document as unknown as StoredFile;
}
