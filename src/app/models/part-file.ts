import { createHash, type Hash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { PART } from "./folder.ts";
import { PullError, type Resume } from "./open.ts";

/** What is known of the file that a part is of; kept beside the part, so that a later process can go on. */
interface Note {
  readonly url: string;
  readonly etag: string | null;
  readonly sha256: string | null;
}

const READ_BYTES = 1024 * 1024;
const MAGIC = "GGUF";

/**
 * A file that is being pulled: what came of it, in order and from its beginning, its running checksum, and which file it is.
 * Owned by one pull, which holds the model's lock.
 */
export class PartFile {
  readonly path: string;
  readonly #url: string;
  readonly #handle: FileHandle;
  #note: Note | null;
  #hash: Hash = createHash("sha256");
  #sizeBytes = 0;
  #head = Buffer.alloc(0);

  private constructor(path: string, url: string, handle: FileHandle) {
    this.path = path;
    this.#url = url;
    this.#handle = handle;
    this.#note = readNote(`${path}.json`);
  }

  /** Opens the part of `target` that came from `url`, or begins one. What came from elsewhere is dropped. */
  static async open(target: string, url: string): Promise<PartFile> {
    const path = `${target}${PART}`;
    const part = new PartFile(path, url, await open(path, existsSync(path) ? "r+" : "wx+", 0o644));
    try {
      if (part.#note?.url !== url || !(await part.#readBack())) await part.begin({ etag: null, sha256: null });
    } catch (error) {
      await part.close();
      throw error;
    }
    return part;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What a server needs to know to go on, or null when this cannot be gone on with. */
  get resume(): Resume | null {
    const { etag = null, sha256 = null } = this.#note ?? {};
    if (this.#sizeBytes === 0 || (etag === null && sha256 === null)) return null;
    return { fromByte: this.#sizeBytes, etag, sha256 };
  }

  /** Begins again at the first byte, of the file with this tag and checksum. */
  async begin({ etag, sha256 }: { readonly etag: string | null; readonly sha256: string | null }): Promise<void> {
    // Empty before it is noted: a note must never be beside bytes of another file.
    await this.#handle.truncate(0);
    this.#sizeBytes = 0;
    this.#hash = createHash("sha256");
    this.#head = Buffer.alloc(0);
    this.#note = { url: this.#url, etag, sha256 };
    writeFileSync(`${this.path}.json`, JSON.stringify(this.#note));
  }

  /** Adds what comes next. Throws `PullError` where the file turns out not to be a GGUF, or cannot be written. */
  async append(bytes: Buffer): Promise<void> {
    if (!this.#take(bytes)) throw new NotGgufError();
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#sizeBytes);
        done += bytesWritten;
        this.#sizeBytes += bytesWritten;
      }
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      throw new PullError(
        `${this.path} cannot be written beyond ${this.#sizeBytes} bytes (${code}); make room or mend the disk, and run the same again`,
        { cause: error },
      );
    }
  }

  /** The SHA-256 of everything that came. Ends the checksum. */
  sha256(): string {
    return this.#hash.digest("hex");
  }

  /** Waits until the disk has everything. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Takes what an earlier process left into account; false where that is no beginning of a GGUF. */
  async #readBack(): Promise<boolean> {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#sizeBytes);
      if (bytesRead === 0) return true;
      if (!this.#take(buffer.subarray(0, bytesRead))) return false;
      this.#sizeBytes += bytesRead;
    }
  }

  /** Counts bytes towards the checksum; false once they are no beginning of a GGUF. */
  #take(bytes: Buffer): boolean {
    this.#hash.update(bytes);
    if (this.#head.length >= MAGIC.length) return true;
    this.#head = Buffer.concat([this.#head, bytes.subarray(0, MAGIC.length)]).subarray(0, MAGIC.length);
    return MAGIC.startsWith(this.#head.toString("latin1"));
  }
}

/** What comes is something else, such as a web page. */
export class NotGgufError extends PullError {
  constructor() {
    super("it is not a GGUF file: it does not begin with the letters GGUF");
  }
}

/** The note at `path`; null where there is none that can be read, and then the part is begun again. */
function readNote(path: string): Note | null {
  if (!existsSync(path)) return null;
  try {
    const { url, etag, sha256 } = JSON.parse(readFileSync(path, "utf8")) as Partial<Record<keyof Note, unknown>>;
    const isText = (value: unknown): value is string | null => value === null || typeof value === "string";
    return typeof url === "string" && isText(etag) && isText(sha256) ? { url, etag, sha256 } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
