import { errorRow } from "../../base/errors.ts";
import type { Job } from "../../base/job.ts";
import type { Exchange, ExchangeFailure } from "../../ports/exchange.ts";
import { clientErrors } from "../../wire/client-errors.ts";
import { promptText } from "../../wire/request.ts";

/** How a request of a batch was answered. */
export interface BatchAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Members of the request that the backend was not told. */
  readonly dropped: readonly string[];
  /** Whether the same request may be answered otherwise later, and when to try, where that is known. */
  readonly retriable: boolean;
  readonly retryAfterMs: number | null;
}

/** A request that no connection waits for: its answer is gathered. Owned by the utility until the answer has ended. */
export class BatchExchange implements Exchange {
  readonly job: Job;
  readonly body: Buffer;
  readonly headers = {};
  readonly #value: unknown;
  readonly #onAnswer: (answer: BatchAnswer) => void;
  #held: Buffer[] = [];
  #dropped: readonly string[] = [];

  constructor(
    request: { readonly job: Job; readonly body: Buffer; readonly value: unknown },
    onAnswer: (answer: BatchAnswer) => void,
  ) {
    this.job = request.job;
    this.body = request.body;
    this.#value = request.value;
    this.#onAnswer = onAnswer;
  }

  get clientRequestId(): string {
    return this.job.requestId;
  }

  promptText(): string {
    return promptText(this.#value);
  }

  /** A line of a batch has no headers to say its step in; its receipt does. */
  joined(): void {}

  write(chunk: Buffer): boolean {
    this.#held.push(chunk);
    return true;
  }

  discard(): void {
    this.#held = [];
    this.#dropped = [];
  }

  dropped(members: readonly string[]): void {
    this.#dropped = members;
  }

  commit(): void {}

  end(): void {
    const body = Buffer.concat(this.#held);
    this.#onAnswer({ status: 200, body, dropped: this.#dropped, retriable: false, retryAfterMs: null });
  }

  fail({ code, detail, retryAfterMs, relay }: ExchangeFailure): void {
    const errors = clientErrors(this.job.endpoint);
    const body = relay === null ? errors.body(code, { detail }) : errors.relayed(relay.status, relay.body);
    const status = relay?.status ?? errorRow(code).status;
    const retriable = relay === null ? errorRow(code).retriable : status === 429 || status >= 500;
    this.#onAnswer({ status, body: Buffer.from(JSON.stringify(body)), dropped: [], retriable, retryAfterMs });
  }
}
