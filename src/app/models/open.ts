import { createReadStream, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Dispatcher, request } from "undici";

/** A download that failed, in words for whoever asked for it. */
export class PullError extends Error {
  override readonly name = "PullError";
  /** Whether the same again, a little later, may work. */
  readonly isRetriable: boolean;
  /** How long the server asks to wait. */
  readonly waitMs: number | null;

  constructor(
    message: string,
    more: { readonly isRetriable?: boolean; readonly waitMs?: number | null; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.isRetriable = more.isRetriable ?? false;
    this.waitMs = more.waitMs ?? null;
  }
}

/** A token and the only origin it is sent to. */
export interface Token {
  readonly origin: string;
  readonly value: string;
}

/** What is there of a file already, and which file that is of. */
export interface Resume {
  readonly fromByte: number;
  /** The strong entity tag under which it came, or null. */
  readonly etag: string | null;
  /** The SHA-256 that the hub said for the file, or null. */
  readonly sha256: string | null;
}

/** Bytes that are coming. */
export interface Opened {
  /** The place in the file of the first byte that comes: 0, or where the resumed part ends. */
  readonly fromByte: number;
  /** Of the whole file; null when the server does not say. */
  readonly totalBytes: number | null;
  readonly etag: string | null;
  readonly sha256: string | null;
  /** Read to its end or until a throw, or else destroyed: a body that is left alone keeps its connection and the process. */
  readonly body: AsyncIterable<Buffer> & { destroy?(): unknown };
}

/** How something is asked for. */
export interface Asking {
  readonly token: Token | null;
  readonly signal: AbortSignal;
}

const REDIRECTS_MAX = 5;
// Nothing for this long is a connection that is dead.
const SILENCE_MS = 60_000;
const RETRY_AFTER_MAX_MS = 60_000;

/** Opens the file at `url`, http, https or file, from where `resume` ends if the server still has that file. Throws `PullError`. */
export async function open(url: URL, asking: Asking, resume: Resume | null = null): Promise<Opened> {
  if (url.protocol === "file:") return openFile(url);
  const first = await openHttp(url, asking, resume);
  const opened = first ?? (await openHttp(url, asking, null));
  if (opened === null) throw new PullError(`${plain(url)} answers with a part of the file that nobody asked for`);
  return opened;
}

function openFile(url: URL): Opened {
  const path = fileURLToPath(url);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) throw new PullError(`there is no file ${path}`);
  return { fromByte: 0, totalBytes: stat.size, etag: null, sha256: null, body: createReadStream(path) };
}

/** Null when what comes cannot follow what is there. */
async function openHttp(named: URL, asking: Asking, resume: Resume | null): Promise<Opened | null> {
  let url = named;
  let range = resume;
  let sha256: string | null = null;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const response = await ask(url, asking, range);
    const header = (name: string): string | null => one(response.headers[name]);
    // Only the server that was named is believed about the checksum.
    if (hops === 0) sha256 = checksumOf(header("x-linked-etag"));
    const location = header("location");
    if (response.statusCode < 300 || response.statusCode >= 400 || location === null) {
      return bytesOf({ url, response, resume: range, sha256 });
    }
    await response.body.dump();
    // The hub's redirect already says that the file is another one; its store would not know.
    if (range !== null && sha256 !== null && range.sha256 !== null && sha256 !== range.sha256) range = null;
    url = nextUrl(url, location);
  }
  throw new PullError(`${plain(named)} redirects more than ${REDIRECTS_MAX} times`);
}

async function ask(url: URL, { token, signal }: Asking, resume: Resume | null): Promise<Dispatcher.ResponseData> {
  const headers: Record<string, string> = { "user-agent": "baseload", "accept-encoding": "identity" };
  if (token !== null && url.origin === token.origin) headers["authorization"] = `Bearer ${token.value}`;
  if (resume !== null) {
    headers["range"] = `bytes=${resume.fromByte}-`;
    if (resume.etag !== null) headers["if-range"] = resume.etag;
  }
  try {
    return await request(url, { method: "GET", headers, signal, headersTimeout: SILENCE_MS, bodyTimeout: SILENCE_MS });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new PullError(`${plain(url)} cannot be reached: ${error instanceof Error ? error.message : String(error)}`, {
      isRetriable: true,
      cause: error,
    });
  }
}

function nextUrl(from: URL, location: string): URL {
  if (!URL.canParse(location, from)) throw new PullError(`${plain(from)} redirects to what is no URL`);
  const next = new URL(location, from);
  const isHttp = next.protocol === "https:" || (next.protocol === "http:" && from.protocol === "http:");
  if (!isHttp) throw new PullError(`${plain(from)} redirects to ${next.protocol}//, which is not followed from there`);
  return next;
}

async function bytesOf(of: {
  readonly url: URL;
  readonly response: Dispatcher.ResponseData;
  readonly resume: Resume | null;
  readonly sha256: string | null;
}): Promise<Opened | null> {
  const { url, response, resume, sha256 } = of;
  const { statusCode, headers } = response;
  const etag = strongTag(one(headers["etag"]));
  const body = response.body as Opened["body"];
  if (statusCode === 200) {
    const length = one(headers["content-length"]);
    return { fromByte: 0, totalBytes: length === null ? null : Number(length), etag, sha256, body };
  }
  if (resume === null || (statusCode !== 206 && statusCode !== 416)) {
    await response.body.dump();
    if (statusCode === 206) return null;
    throw refusal(url, response);
  }
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(one(headers["content-range"]) ?? "");
  const totalBytes = range?.[2] === undefined ? null : Number(range[2]);
  // Some servers go on with whatever they have now, whether or not it is the file that was begun.
  const isOther = etag !== null && resume.etag !== null && etag !== resume.etag;
  const { fromByte } = resume;
  if (!isOther && statusCode === 206 && Number(range?.[1] ?? -1) === fromByte)
    return { fromByte, totalBytes, etag: resume.etag, sha256, body };
  await response.body.dump();
  // Everything had come already.
  const isAll = !isOther && statusCode === 416 && totalBytes === fromByte;
  return isAll ? { fromByte, totalBytes, etag: resume.etag, sha256, body: NOTHING } : null;
}

const NOTHING: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};

function refusal(url: URL, { statusCode, headers }: Dispatcher.ResponseData): PullError {
  const where = plain(url);
  if (statusCode === 401 || statusCode === 403) {
    return new PullError(
      `${where} refuses with status ${statusCode}; set HF_TOKEN to a token that may read it, and accept the model's terms on its page if it has any`,
    );
  }
  if (statusCode === 404 || statusCode === 410)
    return new PullError(`there is no file ${where} (status ${statusCode})`);
  const isRetriable = statusCode === 408 || statusCode === 429 || statusCode >= 500;
  const seconds = Number(one(headers["retry-after"]) ?? Number.NaN);
  const waitMs = Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) : null;
  return new PullError(`${where} answers with status ${statusCode}`, { isRetriable, waitMs });
}

/** A URL as it may be shown and kept: signed links carry secrets behind the question mark. */
export function plain(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** A weak tag does not say that the bytes are the same. */
function strongTag(etag: string | null): string | null {
  return etag !== null && /^"[^"]*"$/.test(etag) ? etag : null;
}

/** The hub's tag of a large file is its SHA-256; that of a small one is Git's. */
function checksumOf(etag: string | null): string | null {
  return /^(?:W\/)?"?([0-9a-f]{64})"?$/i.exec(etag ?? "")?.[1]?.toLowerCase() ?? null;
}

function one(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
