import type { ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import type { Action } from "./actions.ts";
import type { Answer } from "./script.ts";

/** What the runner needs besides the answer itself. */
export interface RunnerOptions {
  readonly answer: Answer;
  readonly response: ServerResponse;
  /** Headers that every answer carries. */
  readonly headers: Readonly<Record<string, string>>;
  /** Takes the function that lets a held answer go on. */
  readonly hold: (go: () => void) => void;
  readonly sent: (bytes: number) => void;
  /** Called when the answer is complete, before its last bytes or its breaking can be seen. */
  readonly ending: () => void;
}

/** Performs an answer's actions on a response, with backpressure, until they end or the client leaves. */
export class ActionRunner {
  readonly #options: RunnerOptions;
  readonly #gone: Promise<void>;
  #left = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#gone = new Promise((resolve) => {
      options.response.once("close", () => {
        this.#left = true;
        resolve();
      });
    });
  }

  /** Returns when the answer is over, whoever ended it. */
  async run(): Promise<void> {
    const { answer, response, ending } = this.#options;
    response.socket?.setNoDelay(true);
    for (const action of answer.actions) {
      if (this.#left) return;
      await this.#perform(action);
    }
    if (this.#left || response.destroyed) return;
    this.#head();
    ending();
    response.end();
  }

  async #perform(action: Action): Promise<void> {
    switch (action.do) {
      case "head":
        this.#head();
        return;
      case "event":
        return this.#write(`data: ${action.data}\n\n`);
      case "text":
        return this.#write(action.text);
      case "wait":
        return this.#orGone((resolve) => {
          const timer = setTimeout(resolve, action.ms);
          void this.#gone.then(() => clearTimeout(timer));
        });
      case "hold":
        return this.#orGone(this.#options.hold);
      case "forever":
        return this.#gone;
      case "destroy":
        this.#options.ending();
        this.#options.response.destroy();
        return this.#gone;
    }
  }

  #head(): void {
    const { answer, response, headers } = this.#options;
    if (response.headersSent) return;
    response.writeHead(answer.status, { ...headers, ...answer.headers });
    response.flushHeaders();
  }

  async #write(text: string): Promise<void> {
    this.#head();
    const { lineEnd = "\n", splitBytes = false } = this.#options.answer;
    const bytes = Buffer.from(lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd));
    if (!splitBytes) return this.#send(bytes);
    for (let index = 0; index < bytes.length && !this.#left; index += 1) {
      await this.#send(bytes.subarray(index, index + 1));
      await turn();
    }
  }

  /** Waits until the system has taken the bytes, so that a connection broken afterwards cannot swallow them. */
  #send(bytes: Buffer): Promise<void> {
    return this.#orGone((resolve) => {
      this.#options.response.write(bytes, (error) => {
        // Its connection is broken, and `close` follows; to go on would count as sent what nobody got.
        if (error) return;
        this.#options.sent(bytes.length);
        resolve();
      });
    });
  }

  #orGone(start: (resolve: () => void) => void): Promise<void> {
    if (this.#left) return Promise.resolve();
    return Promise.race([new Promise<void>((resolve) => start(() => resolve())), this.#gone]);
  }
}
