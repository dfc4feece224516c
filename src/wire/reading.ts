import type { ErrorCode } from "../base/errors.ts";
import type { Usage } from "../base/job.ts";
import type { AnswerFailure } from "./form/answer.ts";

/** The answer is broken, or an error in disguise. */
export interface Broken {
  readonly kind: "broken";
  readonly code: ErrorCode;
  /** What is wrong, for the log; never a body. */
  readonly detail: string;
  /** What the client is told of it: the upstream's words where it has said some, or null. */
  readonly told: string | null;
  /** The HTTP status that an error in disguise stands for, or null where it names none. */
  readonly status: number | null;
}

/** The answer is complete; `bytes` are the client's last, or all of them where the answer is whole. Null is the event's own bytes. */
export interface Done {
  readonly kind: "done";
  readonly bytes: Buffer | null;
}

/** Bytes for the client in the event's place. */
export interface Printed {
  readonly kind: "printed";
  readonly bytes: Buffer;
}

/** What one event of an upstream's stream comes to: its bytes pass as they are, or are left out, or one of the above. */
export type Verdict = "relay" | "hide" | Printed | Done | Broken;

/**
 * Reads one upstream's answer, event by event or whole, meters it and says what the client gets. Pure. Owned by one attempt.
 * Contract: `event` until a verdict is `done` or `broken`, then nothing more; `end` when the upstream's bytes ended before that;
 * `whole` alone for an answer in one piece.
 */
export interface AnswerReading {
  /** Takes the data of one event of the stream. */
  event(data: string): Verdict;
  /** The stream ended without a verdict that ends it. */
  end(): Done | Broken;
  /** Takes a whole answer's body. */
  whole(body: Buffer): Done | Broken;
  /** Whether events without data, like comments, pass to the client. */
  readonly passesComments: boolean;
  /** True from the first piece on that a user would see, or an end. */
  readonly hasContent: boolean;
  /** Text of the answer so far: content, reasoning, refusals and tool calls. */
  readonly text: string;
  /** Pieces of text that came. */
  readonly pieces: number;
  /** The upstream's own count, or null while it has said none. */
  readonly reported: Usage | null;
  /** The upstream's word for why it ended, in the client's shape, or null. */
  readonly finishReason: string | null;
}

/** A broken answer. */
export function broken(detail: string, code: ErrorCode = "upstream_bad_response"): Broken {
  return { kind: "broken", code, detail, told: null, status: null };
}

/** Words of an upstream longer than this are cut: a message says what is wrong in less, and a body must not pass as one. */
const MOST_WORDS = 500;

/** An error event within a stream, in the upstream's words and with the status that it names. */
export function errorEvent({ message, status }: AnswerFailure): Broken {
  const named = status === null ? "" : `, which stands for status ${status}`;
  return { kind: "broken", code: "upstream_error", detail: `an error event${named}`, told: wordsOf(message), status };
}

/** A whole answer that is an error although its status is 200. The words are told; a status that it names is not believed. */
export function errorAnswer({ message }: AnswerFailure): Broken {
  return { ...broken("an error with status 200"), told: wordsOf(message) };
}

/** A message as it is told: one line of bounded length. */
function wordsOf(message: string): string {
  const line = message.replaceAll(/\s+/g, " ").trim();
  return line.length <= MOST_WORDS ? line : `${line.slice(0, MOST_WORDS).toWellFormed()}…`;
}

/** JSON of a text, or undefined when it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
