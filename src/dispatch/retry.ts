import type { ErrorCode } from "../base/errors.ts";

/** A failed attempt, as far as retrying asks. */
export interface Failure {
  readonly code: ErrorCode;
  /** The upstream's HTTP status, or null when none came. */
  readonly status: number | null;
}

// Statuses by which the upstream blames the request itself: another backend would say the same.
const CALLERS_FAULT: ReadonlySet<number> = new Set([400, 405, 406, 411, 413, 414, 415, 416, 417, 422, 431, 451]);

/** Whether another backend may be tried. Only ever asked before content went to the client. */
export function mayFallBack(failure: Failure): boolean {
  if (failure.code === "upstream_error" && failure.status !== null) return !CALLERS_FAULT.has(failure.status);
  return failure.code.startsWith("upstream_") || failure.code === "not_expressible";
}

/** Whether the failure speaks against the backend, so that it should be passed over for a while. */
export function blamesBackend(failure: Failure): boolean {
  if (failure.code === "upstream_unauthorized") return true;
  if (failure.code === "upstream_error" && failure.status !== null) {
    // An error inside an answer with a good status is the backend's too.
    return failure.status === 429 || failure.status >= 500 || failure.status < 400;
  }
  // A long answer is not the backend's fault; the total watch speaks of the request.
  return (
    failure.code.startsWith("upstream_") &&
    failure.code !== "upstream_total_timeout" &&
    failure.code !== "upstream_too_large"
  );
}

/** Whether the client should see the upstream's own status and words. */
export function relays(failure: Failure): boolean {
  return failure.code === "upstream_error" && failure.status !== null && failure.status >= 400;
}

/** Length of the cool-down after `failures` failures in a row, in milliseconds; an upstream's own wish wins, within the bound. */
export function coolDownMs(
  failures: number,
  retryAfterMs: number | null,
  bounds: { readonly firstMs: number; readonly maxMs: number },
): number {
  if (retryAfterMs !== null) return Math.min(Math.max(retryAfterMs, bounds.firstMs), bounds.maxMs);
  return Math.min(bounds.firstMs * 2 ** Math.min(failures - 1, 30), bounds.maxMs);
}
