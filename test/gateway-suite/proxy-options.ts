import type { ServerResponse } from "node:http";
import type { UsageSaid } from "./check.ts";

/** What the proxy can be told to get wrong. Each is a mistake that a real gateway has made. */
export type Fault =
  | "buffers"
  | "no-cache-control"
  | "hands-on-hop-headers"
  | "leaks-usage"
  | "hides-usage"
  | "invents-usage"
  | "replaces-zero"
  | "ignores-leaving"
  | "rewords-limits"
  | "hands-on-pages"
  | "ends-clean"
  | "done-after-error"
  | "breaks-silently"
  | "no-timers"
  | "no-total"
  | "one-code"
  | "comments-count"
  | "bad-body-is-500"
  | "leaks-upstream-id"
  | "keeps-id"
  | "parses-and-prints"
  | "drops-params"
  | "doubles-keys"
  | "streams-by-default"
  | "no-backpressure"
  | "head-too-early"
  | "sends-again"
  | "ignores-pauses"
  | "ignores-dates"
  | "pauses-for-ever"
  | "forgets-keys"
  | "replays-any-body"
  | "serves-in-progress"
  | "never-drains"
  | "drains-for-ever"
  | "estimates-drained";

/** How the proxy is set up. */
export interface ProxyOptions {
  readonly upstream: string;
  /** A port that takes no connections, for the model `deaf`. */
  readonly deafPort?: number;
  readonly timersMs: number;
  readonly faults: ReadonlySet<Fault>;
}

/** What the proxy remembers between requests. Owned by one proxy. */
export interface ProxyState {
  /** Until when a deployment is passed over, by `performance.now()`. */
  readonly pausedUntilMs: Map<string, number>;
  /** What each streamed request used, by its id. */
  readonly usages: Map<string, UsageSaid>;
}

/** One client request and what was read from it. */
export interface Proxied {
  readonly options: ProxyOptions;
  readonly state: ProxyState;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly bodyText: string;
  readonly model: string;
  readonly stream: boolean;
  readonly asksUsage: boolean;
}

/** A stage that took too long, as an error whose code names the stage. */
export class Late extends Error {
  readonly code: string;

  constructor(stage: string, options: ProxyOptions) {
    super(`the upstream took too long: ${stage}`);
    this.code = options.faults.has("one-code") ? "timeout" : `${stage}_timeout`;
  }
}

/** Answers with an error in OpenAI's shape. */
export function sendError(response: ServerResponse, status: number, of: { message: string; code?: string }): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(errorText(of, status < 500 ? "invalid_request_error" : "server_error"));
}

/** An error in OpenAI's shape, as JSON. */
export function errorText(of: { message: string; code?: string }, type = "server_error"): string {
  return JSON.stringify({ error: { message: of.message, type, param: null, code: of.code ?? null } });
}

/** The longest silence that is borne; with the fault, one that no test waits for. */
export function timerOf(options: ProxyOptions): number {
  return options.faults.has("no-timers") ? 60_000 : options.timersMs;
}
