import type { Desk } from "../../ports/desk.ts";
import type { Document, Shelf, ShelfKey } from "../../ports/shelf.ts";
import type { Batch } from "../../wire/batch.ts";
import { type JsonObject } from "../../wire/json.ts";
import { ENDPOINTS } from "../endpoints.ts";
import { fileKey, findFile, newId } from "../files.ts";
import { BatchRun, type KeptBatch } from "./batch-run.ts";
import { Slots } from "./slots.ts";

/** How batches are run. */
export interface BatchesOptions {
  /** Requests of all batches on their way at once. */
  readonly concurrency: number;
  /** Requests in one batch. */
  readonly maxRequests: number;
  /** Levels of objects and arrays in one request. */
  readonly maxJsonDepth: number;
  /** How long results are kept. */
  readonly keepSeconds: number;
  readonly log: (line: string) => void;
}

/** What a client asks of a new batch. */
export interface BatchAsked {
  readonly inputFileId: string;
  readonly endpoint: string;
  readonly metadata: JsonObject | null;
}

const WINDOW_SECONDS = 24 * 60 * 60;
const ENDED: ReadonlySet<string> = new Set(["failed", "completed", "expired", "cancelled"]);

/** The batches of all tenants and their runs. Owned by the gateway. */
export class Batches {
  readonly #desk: Desk;
  readonly #shelf: Shelf;
  readonly #options: BatchesOptions;
  readonly #slots: Slots;
  readonly #runs = new Map<string, { readonly run: BatchRun; readonly ended: Promise<void> }>();

  constructor(desk: Desk, shelf: Shelf, options: BatchesOptions) {
    this.#desk = desk;
    this.#shelf = shelf;
    this.#options = options;
    this.#slots = new Slots(options.concurrency);
  }

  /** Goes on with every batch that an earlier process left unfinished. */
  async resume(): Promise<void> {
    for (const { key, document } of await this.#shelf.all("batches")) {
      const kept = keptOf(document);
      if (!ENDED.has(kept.batch.status)) this.#start(key, kept);
    }
  }

  /** Begins a batch; null when the tenant has no such file. Rejects when the disk cannot be written. */
  async create(
    of: { readonly tenant: string; readonly keyName: string | null },
    asked: BatchAsked,
  ): Promise<Batch | null> {
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1000);
    if ((await findFile(this.#shelf, fileKey(of.tenant, asked.inputFileId), now)) === null) return null;
    const batch: Batch = {
      id: newId("batch_", nowMs),
      object: "batch",
      endpoint: asked.endpoint,
      errors: null,
      input_file_id: asked.inputFileId,
      completion_window: "24h",
      status: "validating",
      output_file_id: null,
      error_file_id: null,
      created_at: now,
      in_progress_at: null,
      expires_at: now + WINDOW_SECONDS,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      metadata: asked.metadata,
    };
    const key: ShelfKey = { kind: "batches", tenant: of.tenant, id: batch.id };
    const kept: KeptBatch = { batch, keyName: of.keyName };
    await this.#shelf.put(key, { ...kept });
    this.#start(key, kept);
    return batch;
  }

  /** A batch as it stands, or null when this tenant has none of this id. */
  async find(tenant: string, id: string): Promise<Batch | null> {
    const running = this.#runs.get(runName(tenant, id));
    if (running !== undefined) return running.run.batch;
    const document = await this.#shelf.get({ kind: "batches", tenant, id });
    return document === null ? null : keptOf(document).batch;
  }

  /** Cancels a batch that has not ended, and says how it stands; null when this tenant has none of this id. */
  async cancel(tenant: string, id: string): Promise<Batch | null> {
    await this.#runs.get(runName(tenant, id))?.run.cancel();
    return this.find(tenant, id);
  }

  /** Leaves every batch as it stands. */
  async stop(): Promise<void> {
    for (const { run } of this.#runs.values()) run.stop();
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  #start(key: ShelfKey, kept: KeptBatch): void {
    const { maxRequests, maxJsonDepth, keepSeconds, log } = this.#options;
    const endpoint = ENDPOINTS[kept.batch.endpoint];
    if (endpoint === undefined) return log(`batch ${key.id} is for ${kept.batch.endpoint}, which is not served here`);
    const limits = { maxRequests, maxJsonDepth, keepSeconds };
    const parts = { desk: this.#desk, shelf: this.#shelf, slots: this.#slots, endpoint, ...limits, log };
    const run = new BatchRun(parts, key, kept);
    const name = runName(key.tenant, key.id);
    // A batch whose run the disk broke stays as it is kept, and the next start goes on with it.
    const ended = run
      .run()
      .catch((error: unknown) => log(`batch ${key.id} stands still: ${String(error)}`))
      .finally(() => this.#runs.delete(name));
    this.#runs.set(name, { run, ended });
  }
}

function runName(tenant: string, id: string): string {
  return `${id} ${tenant}`;
}

/** The batch of a document that a run wrote. */
function keptOf(document: Document): KeptBatch {
  return document as unknown as KeptBatch;
}
