import { createReadStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { ErrorCode } from "../base/errors.ts";
import type { Desk } from "../ports/desk.ts";
import type { Shelf, ShelfKind } from "../ports/shelf.ts";
import { isObject, textOf } from "../wire/json.ts";
import { jsonOf } from "../wire/reading.ts";
import type { KeyHolder } from "./access.ts";
import { closeUnread, sendError, sendJson } from "./answers.ts";
import { Batches, type BatchesOptions } from "./batches/batches.ts";
import { readBody } from "./body.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { fileKey, fileOf, findFile, newId, putFile, type StoredFile } from "./files.ts";
import { behind, pageAsked, printPage, queryOf } from "./pages.ts";
import { Responses, type ResponsesOptions } from "./responses.ts";
import { readUpload } from "./upload.ts";

/** Limits of what is stored for clients. */
export interface StorageOptions extends BatchesOptions, ResponsesOptions {
  /** Of one file. */
  readonly maxFileBytes: number;
  /** How long a client may leave bytes of its answer unread. */
  readonly clientIdleMs: number;
}

const ROUTE = /^\/v1\/(files|batches|responses)(?:\/([^/]+))?(?:\/(content|cancel|input_items))?$/;
/** What each kind has below one of its things, and how that is asked for. */
const VERBS = {
  files: { verb: "content", method: "GET" },
  batches: { verb: "cancel", method: "POST" },
  responses: { verb: "input_items", method: "GET" },
} as const;
const SWEEP_MS = 60 * 60 * 1000;
const UPLOADS_AT_ONCE = 2;
const MAX_ASKED_BYTES = 1024 * 1024;
const RETRY_MS = 1000;

/** What a path asks for. */
export interface StorageRoute {
  readonly kind: ShelfKind;
  readonly id: string | null;
  readonly verb: (typeof VERBS)[ShelfKind]["verb"] | null;
  readonly methods: readonly string[];
}

/** The route of a path, or null when it is none of stored things. */
export function storageRouteOf(path: string): StorageRoute | null {
  const match = ROUTE.exec(path);
  if (match === null) return null;
  const kind = match[1] as ShelfKind;
  const [id, word] = [match[2] ?? null, match[3]];
  const below = VERBS[kind];
  if (word !== undefined) {
    return word === below.verb ? { kind, id, verb: below.verb, methods: [below.method] } : null;
  }
  // New responses are requests for a model, and they are not listed.
  if (id === null) return kind === "responses" ? null : { kind, id, verb: null, methods: ["GET", "POST"] };
  return { kind, id, verb: null, methods: kind === "batches" ? ["GET"] : ["GET", "DELETE"] };
}

/** What one call is about. */
interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly holder: KeyHolder;
}

/** OpenAI's files, batches and stored responses. Who asks was let in already. Owned by the gateway. */
export class Storage {
  readonly responses: Responses;
  readonly #desk: Desk;
  readonly #shelf: Shelf;
  readonly #options: StorageOptions;
  readonly #batches: Batches;
  #uploads = 0;
  #sweeper: NodeJS.Timeout | null = null;

  constructor(desk: Desk, shelf: Shelf, options: StorageOptions) {
    this.#desk = desk;
    this.#shelf = shelf;
    this.#options = options;
    this.#batches = new Batches(desk, shelf, options);
    this.responses = new Responses(desk, shelf, options);
  }

  /** Goes on with what an earlier process left unfinished, and forgets from now on what expires. */
  async start(): Promise<void> {
    const sweep = (): void => {
      this.#sweep().catch((error: unknown) => this.#options.log(`what expired stays for now: ${String(error)}`));
    };
    this.#sweeper = setInterval(sweep, SWEEP_MS).unref();
    await this.#batches.resume();
    sweep();
  }

  /** Leaves every batch as it stands. */
  stop(): Promise<void> {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    return this.#batches.stop();
  }

  /** Resolves once what was still being written is on the disk. */
  settled(): Promise<void> {
    return this.responses.settled();
  }

  /** Answers a call whose method the route has. */
  take(call: Call, route: StorageRoute): void {
    this.#perform(call, route).catch((error: unknown) => {
      // What the disk did is the operator's to know; the client can only come again.
      this.#options.log(`${call.req.method ?? ""} /v1/${route.kind}: ${String(error)}`);
      this.#refuse(call, "storage_unavailable", { retryAfterMs: RETRY_MS });
    });
  }

  #perform(call: Call, { kind, id, verb }: StorageRoute): Promise<void> {
    const { method } = call.req;
    if (kind === "responses") return this.responses.answer(call, id ?? "", verb === "input_items");
    if (kind === "files") {
      if (id === null) return method === "POST" ? this.#upload(call) : this.#listFiles(call);
      if (verb === "content") return this.#content(call, id);
      return method === "DELETE" ? this.#deleteFile(call, id) : this.#showFile(call, id);
    }
    if (id === null) return method === "POST" ? this.#createBatch(call) : this.#listBatches(call);
    return verb === "cancel" ? this.#cancelBatch(call, id) : this.#showBatch(call, id);
  }

  #refuse({ res }: Call, code: ErrorCode, more: Parameters<typeof sendError>[2] = {}): void {
    this.#desk.refused(code);
    sendError(res, code, more);
  }

  async #upload(call: Call): Promise<void> {
    const { req, holder } = call;
    if (this.#uploads >= UPLOADS_AT_ONCE) {
      return this.#refuse(call, "too_many_requests", { retryAfterMs: RETRY_MS, headers: ["connection", "close"] });
    }
    this.#uploads += 1;
    try {
      const key = fileKey(holder.tenant, newId("file-", Date.now()));
      const draft = this.#shelf.draftPath(key.id);
      const limits = { maxBytes: this.#options.maxFileBytes, freeBytes: this.#shelf.freeBytes };
      const upload = await readUpload(req, draft, limits);
      if ("code" in upload) {
        const { code, detail, param } = upload;
        // Where the rest of the form will not be read, nothing can follow it.
        return this.#refuse(call, code, { detail, param, headers: req.complete ? [] : ["connection", "close"] });
      }
      await this.#shelf.keep(key, draft);
      const { filename, purpose, bytes, expiresAfterSeconds } = upload;
      const created_at = nowSeconds();
      const expires_at = expiresAfterSeconds === null ? null : created_at + expiresAfterSeconds;
      sendJson(call.res, 200, {
        value: await putFile(this.#shelf, key, { bytes, created_at, expires_at, filename, purpose }),
      });
    } finally {
      this.#uploads -= 1;
    }
  }

  async #listFiles({ req, res, holder }: Call): Promise<void> {
    const purpose = queryOf(req).get("purpose");
    const find = async (id: string): Promise<StoredFile | null> => {
      const file = await findFile(this.#shelf, fileKey(holder.tenant, id), nowSeconds());
      return file === null || (purpose !== null && file.purpose !== purpose) ? null : file;
    };
    await this.#list({ req, res, holder }, { kind: "files", find, most: 10_000 });
  }

  #listBatches(call: Call): Promise<void> {
    const find = (id: string) => this.#batches.find(call.holder.tenant, id);
    return this.#list(call, { kind: "batches", find, most: 100 });
  }

  /** A page of a tenant's things, the newest first unless asked otherwise. */
  async #list<T extends { readonly id: string }>(
    { req, res, holder }: Call,
    of: { readonly kind: "files" | "batches"; readonly find: (id: string) => Promise<T | null>; readonly most: number },
  ): Promise<void> {
    const { limit, after, isAscending } = pageAsked(queryOf(req), of.most);
    const newest = await this.#shelf.ids(of.kind, holder.tenant);
    const ids = isAscending ? newest.toReversed() : newest;
    const data: T[] = [];
    let hasMore = false;
    for (const id of behind(ids, after, (each) => each)) {
      const found = await of.find(id);
      if (found === null) continue;
      hasMore = data.length === limit;
      if (hasMore) break;
      data.push(found);
    }
    sendJson(res, 200, { value: printPage(data, hasMore) });
  }

  async #showFile(call: Call, id: string): Promise<void> {
    const file = await findFile(this.#shelf, fileKey(call.holder.tenant, id), nowSeconds());
    if (file === null) return this.#refuse(call, "file_not_found", { detail: id });
    sendJson(call.res, 200, { value: file });
  }

  async #deleteFile(call: Call, id: string): Promise<void> {
    if (!(await this.#shelf.remove(fileKey(call.holder.tenant, id))))
      return this.#refuse(call, "file_not_found", { detail: id });
    sendJson(call.res, 200, { value: { id, object: "file", deleted: true } });
  }

  async #content(call: Call, id: string): Promise<void> {
    const { res, holder } = call;
    const key = fileKey(holder.tenant, id);
    const file = await findFile(this.#shelf, key, nowSeconds());
    if (file === null) return this.#refuse(call, "file_not_found", { detail: id });
    closeUnread(res, this.#options.clientIdleMs, () => this.#desk.turnedAway("client_idle"));
    res.writeHead(200, ["content-type", "application/octet-stream", "content-length", String(file.bytes)]);
    // Once bytes went out, a file that cannot be read ends the connection, and so does a client that leaves.
    await pipeline(createReadStream(this.#shelf.contentPath(key)), res).catch(() => res.destroy());
  }

  #createBatch(call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      readBody(call.req, MAX_ASKED_BYTES, (body) => {
        if (typeof body === "string") {
          this.#refuse(call, body, { headers: ["connection", "close"] });
          return resolve();
        }
        this.#beginBatch(call, jsonOf(body.toString("utf8"))).then(resolve, reject);
      });
    });
  }

  async #beginBatch(call: Call, asked: unknown): Promise<void> {
    if (!isObject(asked)) return this.#refuse(call, "invalid_json");
    const wrong = (param: string, detail: string): void => this.#refuse(call, "invalid_request", { param, detail });
    const [inputFileId, endpoint] = [textOf(asked["input_file_id"]), textOf(asked["endpoint"])];
    if (inputFileId === null) return wrong("input_file_id", "`input_file_id` is missing");
    if (endpoint === null || !Object.hasOwn(ENDPOINTS, endpoint)) {
      return wrong("endpoint", `\`endpoint\` must be one of ${Object.keys(ENDPOINTS).join(", ")}`);
    }
    if (asked["completion_window"] !== "24h") return wrong("completion_window", "`completion_window` must be 24h");
    if (this.#desk.stopping) return this.#refuse(call, "shutting_down", { retryAfterMs: RETRY_MS });
    const { tenant, key: keyName } = call.holder;
    const metadata = isObject(asked["metadata"]) ? asked["metadata"] : null;
    const batch = await this.#batches.create({ tenant, keyName }, { inputFileId, endpoint, metadata });
    if (batch === null) return this.#refuse(call, "file_not_found", { detail: inputFileId, param: "input_file_id" });
    sendJson(call.res, 200, { value: batch });
  }

  async #showBatch(call: Call, id: string): Promise<void> {
    const batch = await this.#batches.find(call.holder.tenant, id);
    if (batch === null) return this.#refuse(call, "batch_not_found", { detail: id });
    sendJson(call.res, 200, { value: batch });
  }

  async #cancelBatch(call: Call, id: string): Promise<void> {
    const batch = await this.#batches.cancel(call.holder.tenant, id);
    if (batch === null) return this.#refuse(call, "batch_not_found", { detail: id });
    sendJson(call.res, 200, { value: batch });
  }

  async #sweep(): Promise<void> {
    const now = nowSeconds();
    for (const { key, document } of await this.#shelf.all("files")) {
      const { expires_at: at } = fileOf(document);
      if (at !== null && at <= now) await this.#shelf.remove(key);
    }
    await this.responses.sweep();
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
