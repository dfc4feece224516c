import type { ErrorCode } from "../base/errors.ts";
import type { EngineObservation } from "../base/engine-observation.ts";
import type { RequestId } from "../base/ids.ts";
import type { Endpoint, Usage } from "../base/job.ts";
import type { Edits } from "../kernel/command.ts";
import type { Watch } from "../kernel/config.ts";

export type { Watch };

/** One send, as the kernel ordered it, with the client's bytes. */
export interface SendOrder {
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** Whether the client asked for usage in the stream; when not, it is kept from it. */
  readonly wantsUsage: boolean;
  readonly body: Buffer;
  readonly edits: Edits;
  readonly watch: Watch;
  /** The client's or our own request id, passed on as `x-request-id`. */
  readonly clientRequestId: string;
  /** The client's headers that a backend of its own shape may need, such as `anthropic-beta`; lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Members that a converted answer repeats as the client sent them, though `body` has them otherwise; or none. */
  readonly repeats?: Readonly<Record<string, unknown>> | null;
}

/** What an attempt has made so far. `reported` is the upstream's own count; the text is kept for when there is none. */
export interface Made {
  readonly reported: Usage | null;
  /** Text of the answer's choices: content, reasoning, refusals and tool calls. */
  readonly outputText: string;
  /** Pieces of content that came; most engines send one a token. */
  readonly contentPieces: number;
}

/** An upstream's own error answer, kept so that it can be passed on. */
export interface Relay {
  readonly status: number;
  /** `retry-after`, `x-ratelimit-*` and the like, lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface EngineEnd {
  readonly status: number;
  readonly finishReason: string | null;
  readonly made: Made;
}

export interface EngineFailure {
  readonly code: ErrorCode;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  readonly made: Made;
  readonly relay: Relay | null;
  /** For the log: what happened in the transport's words. Never a body, never a key. */
  readonly detail: string;
  /** What the client is told besides the code's own words, where this is the failure that it sees; or null. */
  readonly told: string | null;
}

/**
 * Where an attempt reports to. Contract: any number of `bytes`; `first` at most once, before the bytes that hold the first
 * real content; `progress` never going back; then exactly one of `finished` or `failed`, and nothing after it or after
 * an abort. Bytes of a stream are whole server-sent events; bytes of a whole answer come in one piece.
 */
export interface EngineSink {
  /** False asks the engine to pause until `resume`. */
  bytes(chunk: Buffer): boolean;
  /** Members of the request that the upstream was not told since it has no word for them. At most once, before any bytes. */
  dropped(members: readonly string[]): void;
  first(): void;
  progress(outputTokens: number): void;
  finished(end: EngineEnd): void;
  failed(failure: EngineFailure): void;
}

/** A running attempt. */
export interface EngineCall {
  /** What was made so far. */
  made(): Made;
  /** Ends the attempt upstream at once; the sink hears nothing more. Returns what was made. */
  abort(): Made;
  /** Gives the attempt at most this long from now; then it fails with `upstream_total_timeout`. */
  limit(withinMs: number): void;
  /** The client reads again. */
  resume(): void;
}

/** What an engine says of itself when asked. */
export interface EngineReport {
  readonly state: "up" | "starting" | "down";
  readonly models: readonly string[] | null;
  readonly contextTokens: number | null;
  /** What it says in its own words, where those are known; absent where they are not, or it did not answer. */
  readonly observation?: EngineObservation;
}

/** One backend's engine. It performs sends and decides nothing: no retry, no time limit but the watch it is given. */
export interface Engine {
  send(order: SendOrder, sink: EngineSink): EngineCall;
  /** Asks the engine how it is; never throws, `down` says it cannot be reached. */
  probe(): Promise<EngineReport>;
  /** Takes no more sends, lets the attempts in flight end, then closes. `close` may come before they have. */
  retire(): Promise<void>;
  close(): Promise<void>;
}
