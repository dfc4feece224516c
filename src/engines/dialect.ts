import type { ErrorCode } from "../base/errors.ts";
import type { SendOrder } from "../ports/engine.ts";
import type { ReadFault } from "../wire/error.ts";
import type { AnswerReading } from "../wire/reading.ts";
import type { Framing } from "./framing.ts";

/** Bearer tokens that must be fetched, and again before they expire. */
export interface TokenSource {
  /** The token in hand, or null when one must be fetched first. Never throws. */
  current(): string | null;
  /** Fetches one, for whoever asks meanwhile too. Rejects in words that hold no secret. */
  fetch(): Promise<string>;
}

/** The HTTP request of one send, and how its answer is read. */
export interface UpstreamRequest {
  /** Path and query below the engine's base URL. */
  readonly path: string;
  /** Headers besides those of every request, as a flat list of names in lower case and values. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly reading: AnswerReading;
  readonly framing: Framing;
  /** Where the bearer token comes from, where it must be fetched; the send waits for it within its watch. */
  readonly tokens?: TokenSource;
  /** Reads the error answers of an API whose errors are not OpenAI's. */
  readonly readFault?: ReadFault;
  /** Members of the client's body that were left out since this upstream has no word for them. */
  readonly dropped: readonly string[];
}

/** The upstream has no word for something that the client asked for. */
export interface Inexpressible {
  readonly kind: "inexpressible";
  readonly code: ErrorCode;
  /** What, for the client. */
  readonly detail: string;
}

/** What an upstream's HTTP API is like. Without state but for credentials. */
export interface Dialect {
  request(order: SendOrder): UpstreamRequest | Inexpressible;
  /** Path that answers when the upstream is up, and the model names in its answer; null where any answer tells that it is up. */
  readonly probePath: string | null;
  /** Credentials and the like for the probe, as a flat list. */
  probeHeaders(): readonly string[];
  modelNames(body: unknown): readonly string[];
}
