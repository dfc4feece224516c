import { stat } from "node:fs/promises";
import type { ErrorCode } from "../../base/errors.ts";
import type { Endpoint } from "../../base/job.ts";
import type { RunCall } from "../../base/run.ts";
import type { Desk } from "../../ports/desk.ts";
import type { ExchangeOwner } from "../../ports/exchange.ts";
import type { Shelf, ShelfKey } from "../../ports/shelf.ts";
import { type Batch, type BatchLine, isBatchLine, type LineOutcome, printOutcome } from "../../wire/batch.ts";
import { clientErrors } from "../../wire/client-errors.ts";
import type { ErrorDetail } from "../../wire/error.ts";
import { type ParsedRequest, parseRequest } from "../../wire/request.ts";
import { fileKey, newId, putFile } from "../files.ts";
import { jobOf } from "../job.ts";
import { runCallOf } from "../run-call.ts";
import { type BatchAnswer, BatchExchange } from "./batch-exchange.ts";
import { checkInput, readLines, Results } from "./batch-files.ts";
import type { Slots } from "./slots.ts";

/** What a batch is run with. */
export interface RunParts {
  readonly desk: Desk;
  readonly shelf: Shelf;
  readonly slots: Slots;
  readonly endpoint: Endpoint;
  readonly maxRequests: number;
  /** Levels of objects and arrays in one request. */
  readonly maxJsonDepth: number;
  /** How long results are kept. */
  readonly keepSeconds: number;
  readonly log: (line: string) => void;
}

/** A batch as it is kept: what clients see, and for whom it is run. */
export interface KeptBatch {
  readonly batch: Batch;
  /** The name of the key that it was asked for with. */
  readonly keyName: string | null;
}

const CLASS = "batch";
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
const MAX_TRIES = 10;

const EXPIRED: LineOutcome = {
  code: "batch_expired",
  message: "The batch expired before this request was answered.",
};

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * Runs one batch from where it stands: a client of its own, which sends the lines to the desk, tries again what may be answered
 * otherwise later, and writes what came. Owned by the batches' runner.
 */
export class BatchRun {
  readonly #parts: RunParts;
  readonly #key: ShelfKey;
  readonly #keyName: string | null;
  #batch: Batch;
  #stopped = false;
  readonly #open = new Set<ExchangeOwner>();
  readonly #sleepers = new Set<() => void>();

  constructor(parts: RunParts, key: ShelfKey, kept: KeptBatch) {
    this.#parts = parts;
    this.#key = key;
    this.#keyName = kept.keyName;
    this.#batch = kept.batch;
  }

  get batch(): Batch {
    return this.#batch;
  }

  /** Runs to the batch's end, or until it is stopped. Rejects when the disk cannot be read or written. */
  async run(): Promise<void> {
    if (this.#batch.status === "validating" && !(await this.#validate())) return;
    const done = new Set<string>();
    const output = await Results.open(this.#parts.shelf.draftPath(`${this.#batch.id}.output`), done);
    const errors = await Results.open(this.#parts.shelf.draftPath(`${this.#batch.id}.errors`), done);
    await this.#sendAll({ done, output, errors });
    if (this.#stopped) return;
    await this.#finish(output, errors);
  }

  /** Sends no more lines; those on their way are still answered. */
  async cancel(): Promise<void> {
    if (this.#batch.status !== "in_progress" && this.#batch.status !== "validating") return;
    await this.#become({ status: "cancelling", cancelling_at: nowSeconds() });
    this.#wakeSleepers();
  }

  /** Leaves the batch as it stands; what was on its way is sent again by the next run. */
  stop(): void {
    this.#stopped = true;
    for (const owner of this.#open) owner.gone("client_gone");
    this.#wakeSleepers();
  }

  async #become(change: Partial<Batch>): Promise<void> {
    this.#batch = { ...this.#batch, ...change };
    const kept: KeptBatch = { batch: this.#batch, keyName: this.#keyName };
    await this.#parts.shelf.put(this.#key, { ...kept });
  }

  #inputPath(): string {
    return this.#parts.shelf.contentPath(fileKey(this.#key.tenant, this.#batch.input_file_id));
  }

  async #validate(): Promise<boolean> {
    const { endpoint: endpointPath } = this.#batch;
    const { maxRequests } = this.#parts;
    const { total, problems } = await checkInput(this.#inputPath(), { endpointPath, maxRequests });
    if (this.#batch.status !== "validating") return true;
    if (problems.length > 0) {
      await this.#become({ status: "failed", failed_at: nowSeconds(), errors: { object: "list", data: problems } });
      return false;
    }
    const request_counts = { total, completed: 0, failed: 0 };
    await this.#become({ status: "in_progress", in_progress_at: nowSeconds(), request_counts });
    return true;
  }

  async #sendAll(to: {
    readonly done: Set<string>;
    readonly output: Results;
    readonly errors: Results;
  }): Promise<void> {
    const { slots } = this.#parts;
    const sending = new Set<Promise<void>>();
    const failures: unknown[] = [];
    for await (const { line } of readLines(this.#inputPath(), this.#batch.endpoint)) {
      if (!isBatchLine(line) || to.done.has(line.customId)) continue;
      await slots.take();
      if (this.#stopped || this.#batch.status === "cancelling" || failures.length > 0) {
        slots.give();
        break;
      }
      const sent: Promise<void> = this.#sendLine(line, to)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          slots.give();
          sending.delete(sent);
        });
      sending.add(sent);
    }
    await Promise.all(sending);
    if (failures.length > 0) throw failures[0];
  }

  /** Whether a line is not to be tried again. */
  #isCalledOff(): boolean {
    return this.#stopped || this.#batch.status === "cancelling" || this.#isExpired();
  }

  #isExpired(): boolean {
    return nowSeconds() >= this.#batch.expires_at;
  }

  /** Sends one line and writes what came. */
  async #sendLine(line: BatchLine, to: { readonly output: Results; readonly errors: Results }): Promise<void> {
    const outcome = this.#isExpired() ? EXPIRED : await this.#answered(line);
    if (outcome === null) return;
    const isGood = "status" in outcome && outcome.status === 200;
    const id = `batch_req_${"requestId" in outcome ? outcome.requestId.replaceAll("-", "") : line.customId}`;
    await (isGood ? to.output : to.errors).add(printOutcome(id, line.customId, outcome));
    const { total } = this.#batch.request_counts;
    const request_counts = { total, completed: to.output.count, failed: to.errors.count };
    this.#batch = { ...this.#batch, request_counts };
  }

  /** How the line was answered in the end; null when the run was stopped meanwhile. */
  async #answered(line: BatchLine): Promise<LineOutcome | null> {
    for (let tries = 1; ; tries += 1) {
      const { desk, endpoint, maxJsonDepth } = this.#parts;
      const requestId = desk.mint(Date.now());
      const read = readRequest(endpoint, line.body, maxJsonDepth);
      if ("code" in read) {
        const body = clientErrors(endpoint).body(read.code, read.why);
        return { status: 400, requestId, body: Buffer.from(JSON.stringify(body)), dropped: [] };
      }
      const { request, run } = read;
      const principal = { tenant: this.#key.tenant, key: this.#keyName };
      const bodyBytes = line.body.length;
      const job = jobOf(request, { requestId, principal, class: CLASS, endpoint, bodyBytes, run });
      const answer = await this.#ask({ job, body: line.body, value: request.value });
      if (answer === null) return null;
      if (!answer.retriable || tries === MAX_TRIES || this.#isCalledOff()) return { ...answer, requestId };
      const backOffMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (tries - 1));
      const leftMs = this.#batch.expires_at * 1000 - Date.now();
      await this.#sleep(Math.max(0, Math.min(answer.retryAfterMs ?? backOffMs, leftMs)));
      if (this.#isCalledOff()) return this.#stopped ? null : { ...answer, requestId };
    }
  }

  #ask(request: ConstructorParameters<typeof BatchExchange>[0]): Promise<BatchAnswer | null> {
    return new Promise((resolve) => {
      let owner: ExchangeOwner | null = null;
      const settle = (answer: BatchAnswer | null): void => {
        if (owner !== null) this.#open.delete(owner);
        resolve(answer);
      };
      const arrived = this.#parts.desk.arrive(new BatchExchange(request, settle));
      owner = arrived;
      const leaving: ExchangeOwner = {
        drained: () => {},
        gone: (code) => {
          arrived.gone(code);
          settle(null);
        },
      };
      owner = leaving;
      this.#open.add(leaving);
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  #wakeSleepers(): void {
    for (const wake of this.#sleepers) wake();
  }

  async #finish(output: Results, errors: Results): Promise<void> {
    const isCancelled = this.#batch.status === "cancelling";
    const isExpired = !isCancelled && this.#isExpired();
    if (!isCancelled) await this.#become({ status: "finalizing", finalizing_at: nowSeconds() });
    const output_file_id = await this.#publish(output, "output");
    const error_file_id = await this.#publish(errors, "error");
    const files = { output_file_id, error_file_id };
    const at = nowSeconds();
    if (isCancelled) await this.#become({ ...files, status: "cancelled", cancelled_at: at });
    else if (isExpired) await this.#become({ ...files, status: "expired", expired_at: at });
    else await this.#become({ ...files, status: "completed", completed_at: at });
  }

  async #publish(results: Results, what: "output" | "error"): Promise<string | null> {
    const { shelf, keepSeconds } = this.#parts;
    const key = fileKey(this.#key.tenant, newId("file-", Date.now()));
    if (!(await results.publish(shelf, key))) return null;
    const { size } = await stat(shelf.contentPath(key));
    const created = nowSeconds();
    await putFile(shelf, key, {
      bytes: size,
      created_at: created,
      expires_at: created + keepSeconds,
      filename: `${this.#batch.id}_${what}.jsonl`,
      purpose: "batch_output",
    });
    return key.id;
  }
}

/** A line's request and the run that it names in its metadata, or why it is refused. */
function readRequest(
  endpoint: Endpoint,
  body: Buffer,
  maxJsonDepth: number,
):
  | { readonly request: ParsedRequest; readonly run: RunCall | null }
  | { readonly code: ErrorCode; readonly why: ErrorDetail } {
  const parsed = parseRequest(endpoint, body, maxJsonDepth);
  if (!parsed.ok) return { code: parsed.code, why: parsed };
  const { request } = parsed;
  if (request.stream) return { code: "invalid_request", why: { detail: "a batch has no streams", param: "stream" } };
  const run = runCallOf({}, request.value, endpoint);
  return run !== null && "param" in run ? { code: "invalid_request", why: run } : { request, run };
}
