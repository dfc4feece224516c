import { setTimeout as sleep } from "node:timers/promises";
import { chat, lookAtReceipt, type SettledReceipt } from "./ask.ts";
import type { Baseload } from "./baseload.ts";

/** What a load did. */
export interface Load {
  /** Receipts that the server called settled. */
  readonly settled: Map<string, SettledReceipt>;
  /** Requests that were answered with status 200. */
  answered: number;
  /** Ids of every receipt that was named in an answer. */
  readonly named: Set<string>;
}

/** How to load. */
export interface LoadOptions {
  /** Models in turn; with a stream each second time. */
  readonly models: readonly string[];
  readonly clients: number;
  /** Requests of each client; without it they go on until the server is gone. */
  readonly requests?: number;
  /** Each n-th stream is left at its first content. */
  readonly leaveEvery?: number;
}

/** Asks from many clients at once, and looks at each receipt until it is settled. Ends when the server does. */
export async function load(server: Baseload, options: LoadOptions): Promise<Load> {
  const done: Load = { settled: new Map(), answered: 0, named: new Set() };
  await Promise.all(Array.from({ length: options.clients }, (_, client) => ask(server, client, { ...options, done })));
  return done;
}

async function ask(server: Baseload, client: number, how: LoadOptions & { readonly done: Load }): Promise<void> {
  const { models, requests = Infinity, leaveEvery = Infinity, done } = how;
  for (let index = 0; index < requests; index += 1) {
    const turn = client + index * how.clients;
    const exchange = chat(server, models[turn % models.length] ?? "ok", { fields: { stream: index % 2 === 1 } });
    try {
      const { status, headers } = await exchange.head();
      if (status === 200) done.answered += 1;
      const id = String(headers["x-baseload-receipt"]);
      done.named.add(id);
      if (index % 2 === 1 && turn % leaveEvery === 1) {
        await exchange.nextEvent();
        exchange.destroy();
      } else {
        await exchange.text();
      }
      await look(server, id, done);
    } catch {
      // The server is gone: the load's end.
      return;
    }
  }
}

async function look(server: Baseload, id: string, done: Load): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { receipt } = await lookAtReceipt(server, id);
    if (receipt !== null) {
      done.settled.set(id, receipt);
      return;
    }
    await sleep(10);
  }
}
