import { assert } from "../base/assert.ts";

/** What is kept of answers, and for how long. */
export interface IdempotencyLimits {
  /** How long a finished answer is replayed. */
  readonly keepMs: number;
  /** Bytes of all answers together, those that are still being made included. */
  readonly maxBytes: number;
}

/** A finished answer as it is replayed. */
export interface KeptAnswer {
  readonly status: number;
  /** Names and values in turn, without those of the one request that made it. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** What a key means for a request that brings it. */
export type Claimed =
  /** Nobody has used it: the request is made, and its answer recorded. */
  | { readonly kind: "new"; readonly recording: Recording }
  | { readonly kind: "replay"; readonly answer: KeptAnswer }
  /** Its first request had another body. */
  | { readonly kind: "conflict" }
  | { readonly kind: "in_progress" };

/** One use of a key: by whom, and for what. */
export interface KeyUse {
  readonly tenant: string;
  readonly key: string;
  /** A digest of path and body: two requests are the same when it is. */
  readonly fingerprint: string;
}

/** The answer to a key's first request while it is being made. Exactly one of `keep` and `drop` ends it; both are safe to repeat. */
export interface Recording {
  add(chunk: Buffer): void;
  /** The answer is complete: it is replayed from now on, unless it was too large. */
  keep(head: Pick<KeptAnswer, "status" | "headers">, nowMs: number): void;
  /** The answer failed, so that the next request with this key is really made. */
  drop(): void;
}

/** A recording for two who want the same answer, or for the one who does. */
export function bothOf(one: Recording | null, other: Recording | null): Recording | null {
  if (one === null || other === null) return one ?? other;
  return {
    add: (chunk) => [one, other].forEach((each) => each.add(chunk)),
    keep: (head, nowMs) => [one, other].forEach((each) => each.keep(head, nowMs)),
    drop: () => [one, other].forEach((each) => each.drop()),
  };
}

interface Entry {
  readonly fingerprint: string;
  /** What has come of an answer in progress; null when it is too large to keep. */
  parts: Buffer[] | null;
  answer: KeptAnswer | null;
  bytes: number;
  keptAtMs: number;
}

/** What an entry takes besides its answer's body: about what the maps and strings of one take. */
const ENTRY_BYTES = 1024;

/**
 * Answers by idempotency key. Pure: the time is passed in. Owns the answers that it keeps; the oldest make room for newer ones, and
 * what is in progress is never forgotten, only its bytes are.
 */
export class Idempotency {
  readonly #limits: IdempotencyLimits;
  /** Kept answers, in the order in which they were finished, which is that of their age. */
  readonly #kept = new Map<string, Entry>();
  readonly #open = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: IdempotencyLimits) {
    this.#limits = limits;
  }

  /** Bytes of everything that is held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Uses a key: says what becomes of the request that brought it. */
  claim(use: KeyUse, nowMs: number): Claimed {
    this.#expire(nowMs);
    // Names of tenants hold no blank, so no two pairs give the same text.
    const id = `${use.tenant} ${use.key}`;
    const before = this.#kept.get(id) ?? this.#open.get(id);
    if (before === undefined) return { kind: "new", recording: this.#begin(id, use.fingerprint) };
    if (before.fingerprint !== use.fingerprint) return { kind: "conflict" };
    return before.answer === null ? { kind: "in_progress" } : { kind: "replay", answer: before.answer };
  }

  #begin(id: string, fingerprint: string): Recording {
    const entry: Entry = { fingerprint, parts: [], answer: null, bytes: 0, keptAtMs: 0 };
    this.#open.set(id, entry);
    this.#grow(entry, ENTRY_BYTES);
    const isOpen = (): boolean => this.#open.get(id) === entry;
    return {
      add: (chunk) => {
        if (isOpen() && entry.parts !== null && this.#grow(entry, chunk.length)) entry.parts.push(chunk);
      },
      keep: (head, nowMs) => {
        if (!isOpen()) return;
        this.#open.delete(id);
        if (entry.parts === null) return;
        entry.answer = { status: head.status, headers: head.headers, body: ownCopy(entry.parts) };
        entry.parts = null;
        entry.keptAtMs = nowMs;
        this.#kept.set(id, entry);
      },
      drop: () => {
        if (!isOpen()) return;
        this.#open.delete(id);
        this.#forget(entry);
      },
    };
  }

  /** Makes room for more of an answer; when there is none, its bytes are given up and it will not be kept. */
  #grow(entry: Entry, bytes: number): boolean {
    entry.bytes += bytes;
    this.#bytes += bytes;
    for (const [id, oldest] of this.#kept) {
      if (this.#bytes <= this.#limits.maxBytes) break;
      this.#kept.delete(id);
      this.#forget(oldest);
    }
    if (this.#bytes <= this.#limits.maxBytes) return true;
    this.#forget(entry);
    return false;
  }

  #expire(nowMs: number): void {
    for (const [id, oldest] of this.#kept) {
      if (nowMs - oldest.keptAtMs < this.#limits.keepMs) return;
      this.#kept.delete(id);
      this.#forget(oldest);
    }
  }

  #forget(entry: Entry): void {
    this.#bytes -= entry.bytes;
    assert(this.#bytes >= 0, "no more bytes are given back than were taken");
    entry.bytes = 0;
    entry.parts = null;
  }
}

// The pieces are views into larger buffers of sockets, which a kept view would hold for as long as the answer is.
function ownCopy(parts: readonly Buffer[]): Buffer {
  const body = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(body, at);
  return body;
}
