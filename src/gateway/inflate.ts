import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";

/** Windows are memory that a client makes us take; this is what every decoder must have (RFC 8878, 3.1.1.1.2). */
const ZSTD_WINDOW_LOG = 23;

/** Compressions of bodies that are taken, one at a time. */
export type Encoding = "gzip" | "x-gzip" | "deflate" | "br" | "zstd";

const DECODERS: Readonly<Record<Encoding, (first: Buffer) => Transform>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  // Named for the zlib format (RFC 9110, 8.4.1.2), but some send the bare one; a zlib header has 8 in its low four bits.
  deflate: (first) => (((first[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
};

/** The encoding that a content-encoding header names, `identity` for none, or null when it is not one that is taken. */
export function encodingOf(header: string | undefined): Encoding | "identity" | null {
  const name = header?.trim().toLowerCase() ?? "identity";
  return name === "identity" || Object.hasOwn(DECODERS, name) ? (name as Encoding | "identity") : null;
}

/** A decoder for what begins with these bytes. */
export function decoderOf(encoding: Encoding, first: Buffer): Transform {
  return DECODERS[encoding](first);
}
