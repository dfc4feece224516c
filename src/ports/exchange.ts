import type { ErrorCode } from "../base/errors.ts";
import type { Job } from "../base/job.ts";
import type { Relay } from "./engine.ts";

/** An error for the client. */
export interface ExchangeFailure {
  readonly code: ErrorCode;
  readonly detail: string | null;
  readonly retryAfterMs: number | null;
  /** The upstream's own answer to pass on instead, or null. */
  readonly relay: Relay | null;
}

/**
 * One client's request and its answer. Contract: bytes written before `commit` are held; `discard` drops them; `commit`
 * releases status 200 and what was held; then `end` or `fail`, once. What is written after the client left is
 * dropped, and never asks for a pause. `fail` before a commit is a whole error answer, after
 * it one error event and no `[DONE]`.
 */
export interface Exchange {
  readonly job: Job;
  readonly body: Buffer;
  readonly clientRequestId: string;
  /** Headers that a backend of the request's own shape may need; lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Members that a converted answer repeats as the client sent them, though `body` has them otherwise; or none. */
  readonly repeats?: Readonly<Record<string, unknown>> | null;
  /** The prompt's text, for counting tokens where the upstream does not. */
  promptText(): string;
  /** The call is this step of its run; what goes to the client says so. Comes before anything is written. */
  joined(step: number): void;
  /** False when the client reads too slowly; `drained` of its owner follows. */
  write(chunk: Buffer): boolean;
  discard(): void;
  /** Members of the request that the backend was not told; `discard` forgets them. */
  dropped(members: readonly string[]): void;
  commit(): void;
  end(): void;
  fail(failure: ExchangeFailure): void;
}

/** Hears of the client. */
export interface ExchangeOwner {
  /** The client reads again. */
  drained(): void;
  /** The client left before the answer was complete, or was ended because it did not read. */
  gone(code: "client_gone" | "client_too_slow"): void;
}

/** The door for requests: the utility takes an exchange and owns its answer from then on. */
export interface Admission {
  arrive(exchange: Exchange): ExchangeOwner;
}
