import { request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { SseReader } from "./client.ts";
import type { SseEvent } from "./client.ts";

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
  | "bad-body-is-500"
  | "leaks-upstream-id"
  | "keeps-id"
  | "parses-and-prints"
  | "drops-params"
  | "doubles-keys"
  | "streams-by-default"
  | "no-backpressure"
  | "head-too-early"
  | "sends-again";

/** How the proxy is set up. */
export interface ProxyOptions {
  readonly upstream: string;
  readonly timersMs: number;
  readonly faults: ReadonlySet<Fault>;
}

/** One client request and what was read from it. */
export interface Proxied {
  readonly options: ProxyOptions;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly bodyText: string;
  readonly stream: boolean;
  readonly asksUsage: boolean;
}

/** Answers with an error in OpenAI's shape. */
export function sendError(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(
    JSON.stringify({
      error: { message, type: status < 500 ? "invalid_request_error" : "server_error", param: null, code: null },
    }),
  );
}

/** The longest silence that is borne; with the fault, one that no test waits for. */
export function timerOf(options: ProxyOptions): number {
  return options.faults.has("no-timers") ? 60_000 : options.timersMs;
}

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly tool_calls?: unknown };
    readonly finish_reason?: string | null;
  }[];
  usage?: { readonly prompt_tokens: number } | null;
  readonly error?: unknown;
}

/** Hands one stream on: nothing before the first content, one error event after it, [DONE] only after a finish. */
export class ProxyStream {
  readonly #proxied: Proxied;
  readonly #upstream: IncomingMessage;
  readonly #held: string[] = [];
  #committed = false;
  #finished = false;

  constructor(proxied: Proxied, upstream: IncomingMessage) {
    this.#proxied = proxied;
    this.#upstream = upstream;
  }

  /** Returns when the client's answer is complete. */
  async run(): Promise<void> {
    if (this.#has("head-too-early")) this.#commit();
    const failure = await this.#read();
    const { response } = this.#proxied;
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
  async #read(): Promise<string | undefined> {
    const type = this.#upstream.headers["content-type"] ?? "";
    if (!type.startsWith("text/event-stream")) return "the upstream did not answer with a stream";
    const reader = new SseReader();
    const late = (): void => void this.#upstream.destroy(new Error("the upstream fell silent"));
    let timer = setTimeout(late, timerOf(this.#proxied.options));
    try {
      for await (const bytes of this.#upstream) {
        for (const event of reader.push(bytes as Buffer)) {
          clearTimeout(timer);
          const failure = await this.#take(event);
          if (failure !== undefined) return failure;
          timer = setTimeout(late, timerOf(this.#proxied.options));
        }
      }
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      clearTimeout(timer);
    }
    return this.#finished ? undefined : "the upstream ended its answer too early";
  }

  async #take(event: SseEvent): Promise<string | undefined> {
    if (event.data === "[DONE]") return undefined;
    const chunk = JSON.parse(event.data) as Chunk;
    if (chunk.error) return "the upstream failed";
    const [choice] = chunk.choices ?? [];
    if (choice?.finish_reason) this.#finished = true;
    if (!this.#has("leaks-usage") && chunk.usage && !choice && !this.#proxied.asksUsage) return undefined;
    if (this.#has("hides-usage") && chunk.usage) return undefined;
    await this.#write(`data: ${this.#usageFaults(chunk, event.data)}\n\n`);
    const content = choice?.delta?.content || choice?.delta?.tool_calls || choice?.finish_reason;
    if (content && !this.#has("buffers")) this.#commit();
    return undefined;
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
    if (!this.#committed) {
      this.#held.push(text);
      return;
    }
    if (response.write(text) || this.#has("no-backpressure")) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        response.off("drain", go).off("close", go);
        resolve();
      };
      response.on("drain", go).on("close", go);
    });
  }

  #fail(message: string): void {
    const { response } = this.#proxied;
    this.#upstream.destroy();
    if (this.#has("sends-again")) this.#sendAgain();
    if (!this.#committed) return sendError(response, 502, message);
    if (this.#has("breaks-silently")) return void response.destroy();
    if (!this.#has("ends-clean")) {
      response.write(
        `data: ${JSON.stringify({ error: { message, type: "server_error", param: null, code: null } })}\n\n`,
      );
    }
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
