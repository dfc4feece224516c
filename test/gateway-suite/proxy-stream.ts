import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { SseReader } from "./client.ts";
import type { SseEvent } from "./client.ts";
import { errorText, Late, sendError, timerOf } from "./proxy-options.ts";
import type { Fault, Proxied } from "./proxy-options.ts";

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: unknown };
    readonly finish_reason?: string | null;
  }[];
  usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: unknown;
}

/** Hands one stream on: nothing before the first content, one error event after it, [DONE] only after a finish. */
export class ProxyStream {
  readonly #proxied: Proxied;
  readonly #upstream: IncomingMessage;
  readonly #held: string[] = [];
  #committed = false;
  #finished = false;
  #pieces = 0;
  #notReadMs = 0;
  #waitsSinceMs: number | null = null;
  #outputTokens: number | null = null;

  constructor(proxied: Proxied, upstream: IncomingMessage) {
    this.#proxied = proxied;
    this.#upstream = upstream;
  }

  /** Returns when the client's answer is complete. */
  async run(): Promise<void> {
    if (this.#has("head-too-early")) this.#commit();
    const failure = await this.#read();
    const { response } = this.#proxied;
    this.#tellUsage();
    if (response.destroyed) return;
    if (failure === undefined) {
      await this.#write("data: [DONE]\n\n");
      this.#commit();
      response.end();
      return;
    }
    this.#fail(failure);
  }

  /** Reads the upstream to its end and returns what went wrong, or undefined if it was complete. */
  async #read(): Promise<Error | undefined> {
    const type = this.#upstream.headers["content-type"] ?? "";
    if (!type.startsWith("text/event-stream")) return new Error("the upstream did not answer with a stream");
    const reader = new SseReader();
    const { options } = this.#proxied;
    const late = (stage: string): void => void this.#upstream.destroy(new Late(stage, options));
    const arm = (): NodeJS.Timeout => setTimeout(() => late(this.#pieces > 0 ? "idle" : "first"), this.#borneMs());
    let total = setTimeout(() => endTotal(), timerOf(options) * (this.#has("no-total") ? 100 : 2));
    const endTotal = (): void => {
      const notReadMs = this.#takeNotReadMs();
      if (notReadMs > 0) total = setTimeout(endTotal, notReadMs);
      else if (this.#borneMs() === timerOf(options)) late("total");
    };
    let timer = arm();
    try {
      for await (const bytes of this.#upstream) {
        const events = reader.push(bytes as Buffer);
        if (events.length === 0 && this.#has("comments-count")) clearTimeout(timer);
        for (const event of events) {
          clearTimeout(timer);
          const failure = await this.#take(event);
          if (failure !== undefined) return failure;
          timer = arm();
        }
      }
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      clearTimeout(timer);
      clearTimeout(total);
    }
    return this.#finished ? undefined : new Error("the upstream ended its answer too early");
  }

  /** The longest silence that is borne now; with the fault, there is no end to it once the client has left. */
  #borneMs(): number {
    const { options, response } = this.#proxied;
    return this.#has("drains-for-ever") && response.destroyed ? 60_000 : timerOf(options);
  }

  /** For how long the client has not read since this was last asked: its time is not the upstream's. */
  #takeNotReadMs(): number {
    const nowMs = performance.now();
    const ms = this.#notReadMs + (this.#waitsSinceMs === null ? 0 : nowMs - this.#waitsSinceMs);
    this.#notReadMs = 0;
    if (this.#waitsSinceMs !== null) this.#waitsSinceMs = nowMs;
    return Math.round(ms);
  }

  async #take(event: SseEvent): Promise<Error | undefined> {
    if (event.data === "[DONE]") return undefined;
    const chunk = JSON.parse(event.data) as Chunk;
    if (chunk.error) return new Error("the upstream failed");
    const [choice] = chunk.choices ?? [];
    if (choice?.delta?.content) this.#pieces += 1;
    if (chunk.usage) this.#outputTokens = chunk.usage.completion_tokens;
    if (choice?.finish_reason) this.#finished = true;
    if (!this.#has("leaks-usage") && chunk.usage && !choice && !this.#proxied.asksUsage) return undefined;
    if (this.#has("hides-usage") && chunk.usage) return undefined;
    await this.#write(`data: ${this.#usageFaults(chunk, event.data)}\n\n`);
    const content = choice?.delta?.content || choice?.delta?.tool_calls || choice?.finish_reason;
    if (content && !this.#has("buffers")) this.#commit();
    return undefined;
  }

  /** The upstream's own figure, or, where it was never told, the pieces that came. */
  #tellUsage(): void {
    const { state, requestId } = this.#proxied;
    const isExact = this.#outputTokens !== null && !this.#has("estimates-drained");
    state.usages.set(requestId, { outputTokens: isExact ? this.#outputTokens : this.#pieces, isExact });
  }

  #usageFaults(chunk: Chunk, data: string): string {
    if (!chunk.usage) return data;
    if (this.#has("replaces-zero") && chunk.usage.prompt_tokens === 0)
      chunk.usage = { ...chunk.usage, prompt_tokens: 9 };
    else if (this.#has("invents-usage")) chunk.usage = { ...chunk.usage, prompt_tokens: 2020 };
    else return data;
    return JSON.stringify(chunk);
  }

  /** Sends the headers and what was held until the first content. */
  #commit(): void {
    if (this.#committed) return;
    this.#committed = true;
    const { response } = this.#proxied;
    const cache = this.#has("no-cache-control") ? {} : { "cache-control": "no-cache" };
    response.writeHead(200, { "content-type": "text/event-stream", ...cache });
    response.flushHeaders();
    for (const text of this.#held) response.write(text);
  }

  async #write(text: string): Promise<void> {
    const { response } = this.#proxied;
    if (response.destroyed) return;
    if (!this.#committed) {
      this.#held.push(text);
      return;
    }
    if (response.write(text) || this.#has("no-backpressure")) return;
    this.#waitsSinceMs = performance.now();
    await new Promise<void>((resolve) => {
      const go = (): void => {
        response.off("drain", go).off("close", go);
        resolve();
      };
      response.on("drain", go).on("close", go);
    });
    this.#notReadMs += performance.now() - this.#waitsSinceMs;
    this.#waitsSinceMs = null;
  }

  #fail(failure: Error & { readonly code?: string }): void {
    const { response } = this.#proxied;
    this.#upstream.destroy();
    if (this.#has("sends-again")) this.#sendAgain();
    if (!this.#committed) return sendError(response, 502, failure);
    if (this.#has("breaks-silently")) return void response.destroy();
    if (!this.#has("ends-clean")) response.write(`data: ${errorText(failure)}\n\n`);
    if (this.#has("done-after-error")) response.write("data: [DONE]\n\n");
    response.end();
  }

  #sendAgain(): void {
    const again = httpRequest(`${this.#proxied.options.upstream}/chat/completions`, { method: "POST", agent: false });
    again.on("response", (incoming) => incoming.destroy());
    again.on("error", () => {});
    again.end(this.#proxied.bodyText);
  }

  #has(fault: Fault): boolean {
    return this.#proxied.options.faults.has(fault);
  }
}
