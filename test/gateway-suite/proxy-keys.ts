import type { IncomingMessage, ServerResponse } from "node:http";
import { sendError } from "./proxy-options.ts";
import type { ProxyOptions } from "./proxy-options.ts";

interface Kept {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Answers by idempotency key. Owned by one proxy. It collects an answer before it hands it on, which no check of keys minds. */
export class ProxyKeys {
  readonly #options: ProxyOptions;
  readonly #entries = new Map<string, { readonly bodyText: string; answer: Kept | null }>();

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /** Whether a request is to be answered here. */
  takes(request: IncomingMessage): boolean {
    return request.headers["idempotency-key"] !== undefined && !this.#options.faults.has("forgets-keys");
  }

  /** Answers one with a key; `ownUrl` is where the proxy answers the same without it. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    of: { readonly bodyText: string; readonly ownUrl: string },
  ): Promise<void> {
    const { faults } = this.#options;
    const key = String(request.headers["idempotency-key"]);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.bodyText !== of.bodyText && !faults.has("replays-any-body")) {
      return sendError(response, 409, { message: "this key was used for another body" });
    }
    if (entry?.answer === null && !faults.has("serves-in-progress")) {
      return sendError(response, 409, { message: "the first request with this key is still being answered" });
    }
    const answer = entry?.answer ?? (await this.#make(key, of));
    response.writeHead(answer.status, { "content-type": answer.type });
    response.end(answer.body);
  }

  async #make(key: string, of: { readonly bodyText: string; readonly ownUrl: string }): Promise<Kept> {
    const entry = { bodyText: of.bodyText, answer: null as Kept | null };
    this.#entries.set(key, entry);
    const headers = { "content-type": "application/json" };
    const made = await fetch(of.ownUrl, { method: "POST", headers, body: of.bodyText });
    entry.answer = { status: made.status, type: made.headers.get("content-type") ?? "", body: await made.text() };
    return entry.answer;
  }
}
