import type { IncomingHttpHeaders } from "node:http";
import type { Client, Dispatcher } from "undici";
import { type Answer, AnswerReader } from "./answer.ts";

/** What an exchange tells the load that sent it. */
export interface ExchangeOwner {
  /** Milliseconds since the run began. */
  now(): number;
  /** A gap between two chunks with content. */
  gap(ms: number): void;
  /** The exchange is over for the figures. Called once. */
  ended(exchange: Exchange, answer: Answer): void;
  /** The connection is free again. Called once, not before the exchange's end. */
  released(client: Client): void;
}

const NAMES: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: "connection_closed",
  UND_ERR_CONNECT_TIMEOUT: "connect_timeout",
};

/** One request under way: an undici handler, so that no promise or stream is made for each. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly dueMs: number;
  readonly sentMs: number;
  readonly client: Client;
  receiptId: string | null = null;
  readonly #owner: ExchangeOwner;
  readonly #reader: AnswerReader;
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;

  constructor(
    owner: ExchangeOwner,
    client: Client,
    request: { readonly dueMs: number; readonly sentMs: number; readonly stream: boolean },
  ) {
    this.dueMs = request.dueMs;
    this.sentMs = request.sentMs;
    this.client = client;
    this.#owner = owner;
    this.#reader = new AnswerReader(request.stream, (ms) => owner.gap(ms));
  }

  /** Ends it now as a failure. */
  abort(code: string, message: string): void {
    this.#end(this.#reader.fail(code, message));
    this.#controller?.abort(new Error(code));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error("given up before it was connected"));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    const receipt = headers["x-baseload-receipt"];
    if (typeof receipt === "string") this.receiptId = receipt;
    this.#reader.head(status, String(headers["content-type"] ?? ""));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over || this.#reader.take(chunk, this.#owner.now())) return;
    this.#end(this.#reader.end());
    controller.abort(new Error("nothing more to learn"));
  }

  onResponseEnd(): void {
    this.#end(this.#reader.end());
    this.#owner.released(this.client);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const code = String((error as { code?: unknown }).code ?? error.name);
    this.#end(this.#reader.fail(NAMES[code] ?? code, error.message));
    this.#owner.released(this.client);
  }

  #end(answer: Answer): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.ended(this, answer);
  }
}
