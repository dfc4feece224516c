import type { ServerResponse } from "node:http";
import { AssertionFailure } from "../base/assert.ts";
import { type ErrorCode, errorRow } from "../base/errors.ts";
import { type ClientErrors, OPENAI_ERRORS } from "../wire/client-errors.ts";
import type { ErrorDetail } from "../wire/error.ts";
import type { KeptAnswer } from "./idempotency.ts";

/** Headers as one flat list of names and values, the form that node:http writes fastest. */
export type FlatHeaders = string[];

/** Sends a JSON answer; `headers` are added to the usual ones. */
export function sendJson(
  res: ServerResponse,
  status: number,
  answer: { readonly value: unknown; readonly headers?: FlatHeaders },
): void {
  if (res.headersSent || res.destroyed) return;
  const body = Buffer.from(JSON.stringify(answer.value));
  const headers = answer.headers ?? [];
  res.writeHead(status, ["content-type", "application/json", "content-length", String(body.length), ...headers]);
  res.end(body);
}

/**
 * Runs `work`, which has not handed the request on yet, and returns what it returns: a mistake of ours in it is answered with `internal`
 * and goes no further, since nothing else is touched by it; null then. A broken assertion is thrown on, and ends the process.
 */
export function answering<T>(res: ServerResponse, work: () => T, errors: ClientErrors = OPENAI_ERRORS): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    sendError(res, "internal", { errors });
    return null;
  }
}

/** Sends text in Prometheus' exposition format. */
export function sendText(res: ServerResponse, text: string): void {
  const length = String(Buffer.byteLength(text));
  res.writeHead(200, ["content-type", "text/plain; version=0.0.4; charset=utf-8", "content-length", length]);
  res.end(text);
}

/** The `retry-after` header in whole seconds, rounded up, where the time is known. */
export function retryAfter(ms: number | null): FlatHeaders {
  return ms === null ? [] : ["retry-after", String(Math.ceil(ms / 1000))];
}

/** Sends an error of the table in the client's shape, OpenAI's unless told; `retryAfterMs` is told in whole seconds, rounded up. */
export function sendError(
  res: ServerResponse,
  code: ErrorCode,
  more: ErrorDetail & {
    readonly retryAfterMs?: number | null;
    readonly headers?: FlatHeaders;
    readonly errors?: ClientErrors;
  } = {},
): void {
  const headers = [...(more.headers ?? []), ...retryAfter(more.retryAfterMs ?? null)];
  sendJson(res, errorRow(code).status, { value: (more.errors ?? OPENAI_ERRORS).body(code, more), headers });
}

/** Sends an answer that was kept for an idempotency key, and says that it is not new. */
export function sendKept(res: ServerResponse, kept: KeptAnswer, headers: FlatHeaders): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(kept.status, [...kept.headers, ...headers, "x-baseload-replayed", "true"]);
  res.end(kept.body);
}

/** Closes the connection of a client that leaves bytes of its answer unread for `idleMs`, after telling so. */
export function closeUnread(res: ServerResponse, idleMs: number, onUnread: () => void): void {
  // The socket's own timer sees the bytes of one large write go out too, which no `drain` tells. It also runs out where nothing
  // waits to be read, and then begins anew with the next write.
  res.setTimeout(idleMs, () => {
    if (res.writableFinished || res.writableLength === 0) return;
    onUnread();
    res.destroy();
  });
}
