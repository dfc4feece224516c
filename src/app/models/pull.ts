import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readHeadOf } from "../../engines/embedded/model-info.ts";
import { GgufError } from "../../engines/embedded/gguf-reader.ts";
import { modelNameOf } from "./file-names.ts";
import { removeFiles } from "./folder.ts";
import { tryHold } from "./locks.ts";
import { type Asking, open, type Opened, plain, PullError } from "./open.ts";
import { NotGgufError, PartFile } from "./part-file.ts";

/** One file to pull. */
export interface Wanted {
  readonly url: URL;
  /** Its name in the folder. */
  readonly file: string;
  /** The SHA-256 it must have, or null where nobody said it yet. */
  readonly sha256: string | null;
}

/** How files are pulled. */
export interface PullOptions extends Asking {
  /** The folder of models. */
  readonly dir: string;
  /** Called as bytes come: of one file, those that are there and all, or null when that is unknown. */
  readonly onBytes: (file: string, haveBytes: number, totalBytes: number | null) => void;
  /** Called with what is worth a line. */
  readonly say: (line: string) => void;
  /** How long to wait before a try, by how many came to nothing before it. */
  readonly waitMs: (failures: number) => number;
  /** Bytes that may still be written in the folder. */
  readonly freeBytes?: (dir: string) => Promise<number>;
}

/** A file that is in the folder now. */
export interface Pulled {
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Whether it was there before. */
  readonly wasThere: boolean;
}

/** So many tries in a row that brought no byte end a pull; what came stays. */
const TRIES_MAX = 5;

/** Pulls the files of one model, one after another. Throws `PullError` in words; what came before a cut stays for the next time. */
export async function pull(wanted: readonly Wanted[], options: PullOptions): Promise<readonly Pulled[]> {
  const name = modelNameOf(wanted[0]?.file ?? "");
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const held = tryHold(options.dir, name, "exclusive");
  if (held === null)
    throw new PullError(`${name} is being pulled by another process, or is in use by a running server`);
  try {
    const pulled: Pulled[] = [];
    for (const each of wanted) pulled.push(await pullFile(each, options));
    return pulled;
  } finally {
    held.release();
  }
}

async function pullFile(wanted: Wanted, options: PullOptions): Promise<Pulled> {
  const target = join(options.dir, wanted.file);
  if (existsSync(target)) return presentFile(wanted, target);
  const part = await PartFile.open(target, plain(wanted.url));
  try {
    const checksums = await receive(part, wanted, options);
    const sha256 = part.sha256();
    for (const expected of checksums) {
      if (expected !== sha256)
        throw new DamagedError(
          `${wanted.file} has the SHA-256 ${sha256}, but ${expected} was expected; it was removed`,
        );
    }
    checkHead(part.path);
    await part.sync();
    const { sizeBytes } = part;
    renameSync(part.path, target);
    rmSync(`${part.path}.json`, { force: true });
    return { file: wanted.file, sizeBytes, sha256, wasThere: false };
  } catch (error) {
    const isUseless = error instanceof NotGgufError || error instanceof DamagedError;
    if (isUseless || part.sizeBytes === 0) removeFiles(options.dir, [wanted.file]);
    if (!isUseless) throw error;
    throw new PullError(`${plain(wanted.url)}: ${error.message}`, { cause: error });
  } finally {
    await part.close();
  }
}

/** What came is not what was wanted, and no part of it is of use. */
class DamagedError extends PullError {}

function checkHead(path: string): void {
  try {
    readHeadOf(path);
  } catch (error) {
    if (!(error instanceof GgufError)) throw error;
    throw new DamagedError(`it begins like a GGUF file but ${error.message}; it was removed`, { cause: error });
  }
}

/** A file that is there is kept, if it is the one that is wanted as far as anybody said. */
async function presentFile({ file, sha256: expected }: Wanted, target: string): Promise<Pulled> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(target) as AsyncIterable<Buffer>) hash.update(bytes);
  const sha256 = hash.digest("hex");
  if (expected !== null && expected !== sha256) {
    throw new PullError(
      `${target} is there already with other contents (SHA-256 ${sha256}); remove it with \`baseload models rm ${modelNameOf(file)}\`, or give this one another --name`,
    );
  }
  return { file, sizeBytes: statSync(target).size, sha256, wasThere: true };
}

/** Gets all bytes into `part`, in as many tries as that takes, and says which checksums they must have. */
async function receive(part: PartFile, wanted: Wanted, options: PullOptions): Promise<ReadonlySet<string>> {
  const { signal, say, waitMs } = options;
  for (let failures = 0; ; failures++) {
    const before = part.sizeBytes;
    try {
      return await receiveOnce(part, wanted, options);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PullError) || !error.isRetriable) throw error;
      if (part.sizeBytes > before) failures = 0;
      if (failures + 1 >= TRIES_MAX)
        throw new PullError(`${error.message}; what came is kept, and the same command goes on with it`, {
          cause: error,
        });
      const pauseMs = error.waitMs ?? waitMs(failures);
      say(`${wanted.file}: ${error.message}; trying again in ${(pauseMs / 1000).toFixed(1)} s`);
      await sleep(pauseMs, undefined, { signal });
    }
  }
}

async function receiveOnce(part: PartFile, wanted: Wanted, options: PullOptions): Promise<ReadonlySet<string>> {
  const { onBytes } = options;
  const opened = await open(wanted.url, options, part.resume);
  const { totalBytes } = opened;
  try {
    await beginOrGoOn(part, opened, (line) => options.say(`${wanted.file}: ${line}`));
    await checkRoom(opened, options);
  } catch (error) {
    opened.body.destroy?.();
    throw error;
  }
  onBytes(wanted.file, part.sizeBytes, totalBytes);
  try {
    for await (const bytes of opened.body) {
      await part.append(bytes);
      onBytes(wanted.file, part.sizeBytes, totalBytes);
      options.signal.throwIfAborted();
    }
  } catch (error) {
    if (error instanceof PullError || options.signal.aborted) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw new PullError(`${plain(wanted.url)} was cut: ${words}`, { isRetriable: true, cause: error });
  }
  if (totalBytes !== null && part.sizeBytes !== totalBytes) {
    throw new PullError(`${plain(wanted.url)} ended after ${part.sizeBytes} of ${totalBytes} bytes`, {
      isRetriable: true,
    });
  }
  return new Set([wanted.sha256, opened.sha256].flatMap((each) => each ?? []));
}

async function beginOrGoOn(part: PartFile, opened: Opened, say: (line: string) => void): Promise<void> {
  if (opened.fromByte === part.sizeBytes && opened.fromByte > 0) return;
  if (part.sizeBytes > 0) say("the server has another file now or cannot go on; beginning again");
  await part.begin(opened);
}

async function checkRoom({ fromByte, totalBytes }: Opened, { dir, freeBytes = free }: PullOptions): Promise<void> {
  if (totalBytes === null) return;
  const room = await freeBytes(dir);
  const missing = totalBytes - fromByte;
  if (room < missing)
    throw new PullError(
      `${missing} bytes are to come, but ${dir} has room for ${room}; make room and run the same again`,
    );
}

async function free(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
