import type { Socket } from "node:net";
import { refusalBytes } from "./refuse.ts";

/** How many may be open at once. */
export interface ConnectionLimits {
  readonly max: number;
  /** Of one client; null is no limit of its own. */
  readonly maxPerClient: number | null;
}

const NO_CLIENT = "";

/** Counts what is open, in all and by client. Owned by whoever lets in; each `null` of `enter` is ended by one `leave`. */
export class Headcount {
  readonly #limits: ConnectionLimits;
  readonly #byClient = new Map<string, number>();
  #all = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Lets one more in, or says by which limit it does not; null as the client counts towards the sum alone. */
  enter(client: string | null): "max_connections" | "max_connections_per_client" | null {
    const { max, maxPerClient } = this.#limits;
    const own = maxPerClient === null ? NO_CLIENT : (client ?? NO_CLIENT);
    const count = this.#byClient.get(own) ?? 0;
    if (this.#all >= max) return "max_connections";
    if (own !== NO_CLIENT && maxPerClient !== null && count >= maxPerClient) return "max_connections_per_client";
    this.#all += 1;
    if (own !== NO_CLIENT) this.#byClient.set(own, count + 1);
    return null;
  }

  leave(client: string | null): void {
    this.#all -= 1;
    const count = client === null ? undefined : this.#byClient.get(client);
    if (client === null || count === undefined) return;
    if (count === 1) this.#byClient.delete(client);
    else this.#byClient.set(client, count - 1);
  }
}

const LINGER_MS = 500;
const MAX_LINGERING = 100;
const RETRY_MS = 1000;
const LOG_EVERY_MS = 10_000;

/**
 * Turns connections away in words. A connection that is closed with unread bytes is reset, and the words are lost with it; so a
 * few are read from for a moment, and beyond those there is no more than a reset.
 */
export class TurnedAway {
  readonly #log: (line: string) => void;
  #lingering = 0;
  #unsaid = 0;
  #lastSaidMs = -LOG_EVERY_MS;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Ends a connection that is one too many. `speaks` says whether it is one on which plain bytes mean something. */
  end(socket: Socket, of: { readonly address: string; readonly speaks: boolean }): void {
    this.say(of.address);
    socket.on("error", () => {});
    if (!of.speaks || this.#lingering >= MAX_LINGERING) {
      socket.destroy();
      return;
    }
    this.#lingering += 1;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.on("close", () => {
      this.#lingering -= 1;
      clearTimeout(timer);
    });
    socket.end(refusalBytes("too_many_connections", RETRY_MS));
    socket.resume();
  }

  /** Tells the operator, in one line for many, since whoever floods must not fill the log too. */
  say(address: string): void {
    this.#unsaid += 1;
    const nowMs = performance.now();
    if (nowMs - this.#lastSaidMs < LOG_EVERY_MS) return;
    this.#log(`too many connections: ${this.#unsaid} refused since the last such line, the latest from ${address}`);
    this.#lastSaidMs = nowMs;
    this.#unsaid = 0;
  }
}
