import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ErrorCode } from "../base/errors.ts";

/** A file that came as a form, lying at `path` until it is kept. */
export interface Upload {
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  /** Seconds until it expires, or null. */
  readonly expiresAfterSeconds: number | null;
}

/** Why there is no upload. */
export interface NoUpload {
  readonly code: ErrorCode;
  readonly detail: string | null;
  readonly param: string | null;
}

const no = (detail: string, param: string): NoUpload => ({ code: "invalid_request", detail, param });

class TooLarge extends Error {}

/** Lets at most `maxBytes` through, and fails with the rest. */
function bounded(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new TooLarge());
      else done(null, chunk);
    },
  });
}

/**
 * Reads a form with a file of at most `maxBytes`, for which there is room, into `path`. Node's own parser holds a form in memory until it is whole, so callers let few of
 * them in at once. Rejects when the disk cannot be written or the client leaves.
 */
export async function readUpload(
  req: IncomingMessage,
  path: string,
  limits: { readonly maxBytes: number; readonly freeBytes: number },
): Promise<Upload | NoUpload> {
  const { maxBytes, freeBytes } = limits;
  const type = req.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return no("the content-type must be multipart/form-data", "file");
  if (Number(req.headers["content-length"] ?? 0) > maxBytes + FORM_BYTES) return TOO_LARGE;
  const form = await readForm(req, type, maxBytes + FORM_BYTES);
  if (form === "too large") return TOO_LARGE;
  if (form === null) return no("the form cannot be read", "file");
  const [file, purpose] = [form.get("file"), form.get("purpose")];
  if (!(file instanceof File)) return no("`file` is missing", "file");
  if (typeof purpose !== "string" || !/^[a-z_-]{1,64}$/.test(purpose)) return no("`purpose` is missing", "purpose");
  const after = form.get("expires_after[seconds]");
  const expiresAfterSeconds = typeof after === "string" ? Number(after) : null;
  if (expiresAfterSeconds !== null && !(Number.isSafeInteger(expiresAfterSeconds) && expiresAfterSeconds > 0)) {
    return no("`expires_after[seconds]` must be a whole number of seconds", "expires_after[seconds]");
  }
  if (file.size > maxBytes) return TOO_LARGE;
  if (file.size > freeBytes) return { code: "file_storage_full", detail: null, param: "file" };
  try {
    await pipeline(Readable.fromWeb(file.stream()), createWriteStream(path, { mode: 0o600 }));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { filename: file.name, purpose, bytes: file.size, expiresAfterSeconds };
}

// What a form has besides its file.
const FORM_BYTES = 64 * 1024;

const TOO_LARGE: NoUpload = { code: "file_too_large", detail: null, param: "file" };

/** The form; null when it is none. */
async function readForm(req: IncomingMessage, type: string, maxBytes: number): Promise<FormData | "too large" | null> {
  let isOver = false;
  const body = req.pipe(bounded(maxBytes));
  body.on("error", (error) => {
    isOver = error instanceof TooLarge;
    req.unpipe();
    req.pause();
  });
  // A client that leaves ends the request without an `end`, which the parser would wait for.
  req.once("close", () => {
    if (!req.complete) body.destroy(new Error("the client left"));
  });
  try {
    return await new Response(Readable.toWeb(body) as ReadableStream, { headers: { "content-type": type } }).formData();
  } catch {
    return isOver ? "too large" : null;
  }
}
