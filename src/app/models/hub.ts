import { basename } from "node:path";
import { UsageError } from "../cli.ts";
import { partsOf } from "./file-names.ts";
import { type Asking, open, plain, PullError } from "./open.ts";
import type { Wanted } from "./pull.ts";

/** A hub's name for a model: `hf:ORG/REPO/FILE.gguf`, `hf:ORG/REPO:QUANTIZATION` or `hf:ORG/REPO`, with `@REVISION` after REPO. */
interface HubName {
  readonly repo: string;
  readonly revision: string;
  readonly path: string | null;
  readonly quantization: string | null;
}

/** A file of a repository on a hub. */
interface HubFile {
  readonly path: string;
  readonly sha256: string | null;
}

const HUB_NAME = /^hf:([\w.-]+\/[\w.-]+)(?:@([\w.-]+))?(?:\/([^:?#]+\.gguf)|:([\w.-]+))?$/i;
const FILE_NAME = /^[a-z0-9][\w.+-]*\.gguf$/i;
const MODEL_NAME = /^[a-z0-9][\w.+-]*$/i;
/** The list of a repository's files. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;
const PAGE_FILES = 1000;

/** Where a reference leads. */
export interface Where {
  /** Base URL of the hub, without a trailing slash. */
  readonly hub: string;
  /** The model's name in the folder, or null for that of its file. */
  readonly name: string | null;
}

/** The files that a reference means. Asks the hub where it names no file. Throws `UsageError`, or `PullError` in words. */
export async function wantedBy(reference: string, where: Where, asking: Asking): Promise<readonly Wanted[]> {
  if (!reference.startsWith("hf:")) return filesAt(urlOf(reference), where.name);
  const name = parseHubName(reference);
  const files = name.path === null ? choose(name, await listRepo(name, where.hub, asking)) : allParts(name.path);
  return files.map(({ path, sha256 }) => ({
    url: new URL(
      `${where.hub}/${name.repo}/resolve/${name.revision}/${path.split("/").map(encodeURIComponent).join("/")}`,
    ),
    file: stored(basename(path), where.name),
    sha256,
  }));
}

function parseHubName(reference: string): HubName {
  const match = HUB_NAME.exec(reference);
  if (match === null || reference.includes("..")) {
    throw new UsageError(`${reference} is not a model on a hub; write hf:ORG/REPO/FILE.gguf or hf:ORG/REPO:Q4_K_M`);
  }
  const [, repo = "", revision = "main", path = null, quantization = null] = match;
  return { repo, revision, path, quantization };
}

function urlOf(reference: string): URL {
  const url = URL.canParse(reference) ? new URL(reference) : null;
  if (url === null || !["http:", "https:", "file:"].includes(url.protocol)) {
    throw new UsageError(
      `${reference} is neither a URL nor a model on a hub; write https://HOST/FILE.gguf, file:///PATH/FILE.gguf, hf:ORG/REPO/FILE.gguf or hf:ORG/REPO:Q4_K_M`,
    );
  }
  if (url.username !== "" || url.password !== "")
    throw new UsageError("a URL with credentials is not taken; set HF_TOKEN for a hub");
  return url;
}

function filesAt(url: URL, name: string | null): readonly Wanted[] {
  const last = decodeURIComponent(basename(url.pathname));
  const whole = /\.gguf$/i.test(last) ? last : `${last}.gguf`;
  return partsOf(whole).map((part) => {
    const at = new URL(url);
    if (part !== whole)
      at.pathname = `${url.pathname.slice(0, -basename(url.pathname).length)}${encodeURIComponent(part)}`;
    return { url: at, file: stored(part, name), sha256: null };
  });
}

/** The name in the folder of the file that is called `file` where it comes from. */
function stored(file: string, name: string | null): string {
  if (name !== null && !MODEL_NAME.test(name))
    throw new UsageError(`--name ${name} is not a name; use letters, digits, dots, hyphens and _`);
  const place = /-\d{5}-of-\d{5}\.gguf$/i.exec(file)?.[0] ?? ".gguf";
  const own = name === null ? file : `${name.replace(/\.gguf$/i, "")}${place}`;
  if (!FILE_NAME.test(own))
    throw new UsageError(`${JSON.stringify(own)} cannot be a file's name here; give one with --name`);
  return own;
}

function allParts(path: string): readonly HubFile[] {
  const folder = path.slice(0, -basename(path).length);
  return partsOf(basename(path)).map((part) => ({ path: `${folder}${part}`, sha256: null }));
}

async function listRepo({ repo, revision }: HubName, hub: string, asking: Asking): Promise<readonly HubFile[]> {
  const url = new URL(`${hub}/api/models/${repo}/tree/${revision}?recursive=true`);
  const { body } = await open(url, asking);
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > LIST_BYTES_MAX) throw new PullError(`${plain(url)} lists more files than any model has`);
    parts.push(part);
  }
  const entries = parseList(Buffer.concat(parts).toString("utf8"), url);
  if (entries.length >= PAGE_FILES)
    throw new PullError(`${repo} has too many files to choose from; name one: hf:${repo}/FILE.gguf`);
  return entries.flatMap((entry) => {
    const { path, lfs } = entry as { readonly path?: unknown; readonly lfs?: { readonly oid?: unknown } };
    if (typeof path !== "string" || !/\.gguf$/i.test(path)) return [];
    return [{ path, sha256: typeof lfs?.oid === "string" && /^[0-9a-f]{64}$/.test(lfs.oid) ? lfs.oid : null }];
  });
}

function parseList(text: string, url: URL): readonly object[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list.filter((entry) => typeof entry === "object" && entry !== null);
  } catch (error) {
    throw new PullError(`${plain(url)} does not answer with a list of files`, { cause: error });
  }
  throw new PullError(`${plain(url)} does not answer with a list of files`);
}

/** The files of the one model that is meant. Projectors for images stand beside models and are none. */
function choose({ repo, quantization }: HubName, files: readonly HubFile[]): readonly HubFile[] {
  const models = new Map<string, HubFile[]>();
  for (const file of files.filter(({ path }) => !/mmproj/i.test(basename(path)))) {
    const folder = file.path.slice(0, -basename(file.path).length);
    const first = `${folder}${partsOf(basename(file.path))[0] ?? ""}`;
    models.set(first, [...(models.get(first) ?? []), file]);
  }
  const fitting = [...models].filter(([first]) => quantization === null || isOf(basename(first), quantization));
  const [only] = fitting;
  const list = (of: readonly (readonly [string, unknown])[]): string =>
    of.map(([first]) => `  hf:${repo}/${first}`).join("\n");
  if (only === undefined) {
    throw new PullError(
      `${repo} has no GGUF file${quantization === null ? "" : ` of ${quantization}; it has:\n${list([...models])}`}`,
    );
  }
  if (fitting.length > 1) throw new PullError(`${repo} has several models that fit; name one:\n${list(fitting)}`);
  const [first, found] = only;
  const wanted = allParts(first);
  if (wanted.length !== found.length)
    throw new PullError(`${repo} has ${found.length} of the ${wanted.length} parts of ${first}`);
  return found.toSorted((one, other) => (one.path < other.path ? -1 : 1));
}

function isOf(file: string, quantization: string): boolean {
  const plainName = file.replace(/(?:-\d{5}-of-\d{5})?\.gguf$/i, "").toLowerCase();
  return new RegExp(`(^|[-._])${quantization.toLowerCase().replaceAll(".", "\\.")}$`).test(plainName);
}
