import type { IncomingMessage } from "node:http";
import type { ErrorCode } from "../base/errors.ts";

/** Called once with the whole body, or with why there is none; not called when the client leaves first. */
export type OnBody = (body: Buffer | ErrorCode) => void;

/** Reads a body of at most `maxBytes`. No promise: this runs for every request. */
export function readBody(req: IncomingMessage, maxBytes: number, onBody: OnBody): void {
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    onBody("unsupported_encoding");
    return;
  }
  if (Number(req.headers["content-length"] ?? 0) > maxBytes) {
    onBody("request_too_large");
    return;
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  let over = false;
  req.on("data", (chunk: Buffer) => {
    if (over) return;
    bytes += chunk.length;
    parts.push(chunk);
    if (bytes <= maxBytes) return;
    over = true;
    parts.length = 0;
    req.pause();
    onBody("request_too_large");
  });
  req.on("end", () => {
    if (!over) onBody(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
  });
}
