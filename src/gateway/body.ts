import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import type { ErrorCode } from "../base/errors.ts";
import { decoderOf, type Encoding, encodingOf } from "./inflate.ts";

/** Called once with the whole body, or with why there is none; not called when the client leaves first. */
export type OnBody = (body: Buffer | ErrorCode) => void;

/** Reads a body of at most `maxBytes`, before and after its decompression. No promise: this runs for every request. */
export function readBody(req: IncomingMessage, maxBytes: number, onBody: OnBody): void {
  if (Number(req.headers["content-length"] ?? 0) > maxBytes) {
    onBody("request_too_large");
    return;
  }
  const encoding = encodingOf(req.headers["content-encoding"]);
  if (encoding === null) return onBody("unsupported_encoding");
  if (encoding === "identity") return collect(req, maxBytes, onBody);
  decode(req, { encoding, maxBytes }, onBody);
}

function collect(from: Readable, maxBytes: number, onBody: OnBody): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  let over = false;
  from.on("data", (chunk: Buffer) => {
    if (over) return;
    bytes += chunk.length;
    parts.push(chunk);
    if (bytes <= maxBytes) return;
    over = true;
    parts.length = 0;
    from.pause();
    onBody("request_too_large");
  });
  from.on("end", () => {
    if (!over) onBody(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
  });
}

/** Inflates no more than what is taken: the pipe waits for the collector, and a bomb's decoder ends with its refusal. */
function decode(
  req: IncomingMessage,
  of: { readonly encoding: Encoding; readonly maxBytes: number },
  onBody: OnBody,
): void {
  let decoder: Transform | null = null;
  let isOver = false;
  const end = (body: Buffer | ErrorCode): void => {
    if (isOver) return;
    isOver = true;
    if (typeof body === "string") {
      req.unpipe();
      req.pause();
    }
    decoder?.destroy();
    onBody(body);
  };
  req.once("data", (first: Buffer) => {
    req.pause();
    const stream = decoderOf(of.encoding, first);
    decoder = stream;
    stream.on("error", () => end("invalid_encoding"));
    collect(stream, of.maxBytes, end);
    stream.write(first);
    req.pipe(stream);
  });
  req.once("end", () => {
    if (decoder === null) end("invalid_encoding");
  });
  // A client that leaves ends the request without an `end`, and the decoder's memory with it.
  req.once("close", () => {
    if (!req.complete) {
      isOver = true;
      decoder?.destroy();
    }
  });
}
