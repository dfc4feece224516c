import type { IncomingMessage } from "node:http";

/**
 * Whether a request that the parser lets pass could be read in another way by whoever stands in front of us: without exactly one
 * host, with a transfer coding that is not undone here, or with one in a version that has none (RFC 9112, 3.2 and 6.1), or of a
 * version without headers at all.
 */
export function isAmbiguous(req: IncomingMessage): boolean {
  if (req.httpVersionMajor !== 1) return true;
  const coding = req.headers["transfer-encoding"];
  if (coding !== undefined && (coding.toLowerCase() !== "chunked" || req.httpVersionMinor === 0)) return true;
  const hosts = countHosts(req.rawHeaders);
  return hosts > 1 || (hosts === 0 && req.httpVersionMinor > 0);
}

/** The parser keeps the first of several in `headers`. Names and values stand in turn. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === "host") count += 1;
  }
  return count;
}
