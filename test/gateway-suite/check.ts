import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MockHandle, RecordedRequest } from "../upstream/mock-upstream.ts";
import { Exchange } from "./client.ts";
import type { Head } from "./client.ts";

/** What a gateway may lack for now, each with the reason that a skipped check states. */
export const FEATURES = {
  "relayed-limits": "it does not hand on the upstream's 429 with its headers",
  "relayed-errors": "it does not put upstream errors into OpenAI's shape",
  timers: "it has no short timers for headers, first token and silence between tokens",
  "total-timer": "it has no short timer for an answer as a whole",
  "connect-timer": "it has no short timer for connecting, or no port that is deaf was arranged",
  backpressure: "it does not hold the upstream back for a slow client",
  pauses: "it does not pass over a backend that asked for a pause, or no pair was arranged",
  idempotency: "it keeps no answers for idempotency keys",
  drain: "it cannot let an attempt run on whose client left, or none was arranged",
} as const;

export type Feature = keyof typeof FEATURES;

/** What a gateway says that a request used. */
export interface UsageSaid {
  readonly outputTokens: number | null;
  /** Whether it says that the figure is the upstream's own, and not its estimate. */
  readonly isExact: boolean;
}

/** What a check works with. */
export interface SuiteContext {
  /** The gateway's URL, ending in `/v1`. */
  readonly baseUrl: string;
  readonly upstream: MockHandle;
  readonly apiKey?: string;
  /** Makes the gateway's model name from the mock's, for gateways that want a prefix. */
  readonly modelName: (mockModel: string) => string;
  /** The longest that a check waits for any one thing. */
  readonly patienceMs: number;
  /** The gateway's longest timer for headers, first token and silence; used where the feature `timers` is stated. */
  readonly timersMs: number;
  readonly features: ReadonlySet<Feature>;
  /** What the gateway says afterwards that a request used, by the head of its answer; absent where it does not say. */
  readonly usageOf?: (head: Head) => Promise<UsageSaid>;
  /** Reports a measurement that nothing is asserted about. */
  readonly note: (text: string) => void;
}

/** One behaviour: a number of the table in the reference, or the letter of a rule. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly needs?: Feature;
  run(ctx: SuiteContext): Promise<void>;
}

/** A request under way, and the mark by which the mock's records of it are found. */
export interface Asking {
  readonly mark: string;
  readonly exchange: Exchange;
}

/** How to ask. `fields` are added to the body, in which `stream` is left out unless given. */
export interface Ask {
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly patienceMs?: number;
}

/** Asks the gateway for a chat completion of one of the mock's models. */
export function ask(ctx: SuiteContext, mockModel: string, how: Ask = {}): Asking {
  const { mark, body } = bodyOf(ctx, mockModel, how.fields);
  return { mark, exchange: post(ctx, body, how) };
}

/** A body that asks for a chat completion, with a mark of its own. */
export function bodyOf(
  ctx: SuiteContext,
  mockModel: string,
  fields: Readonly<Record<string, unknown>> = {},
): { readonly mark: string; readonly body: string } {
  const mark = `mark-${randomUUID()}`;
  const messages = [{ role: "user", content: `Say something. (${mark})` }];
  return { mark, body: JSON.stringify({ model: ctx.modelName(mockModel), messages, ...fields }) };
}

/** Posts a body as it is. */
export function post(ctx: SuiteContext, body: string, how: Ask = {}): Exchange {
  return new Exchange({
    url: `${ctx.baseUrl}/chat/completions`,
    body,
    patienceMs: how.patienceMs ?? ctx.patienceMs,
    headers: { ...(ctx.apiKey === undefined ? {} : { authorization: `Bearer ${ctx.apiKey}` }), ...how.headers },
  });
}

/** The mock's records of a request, in the order of arrival. */
export async function recordsOf(ctx: SuiteContext, mark: string): Promise<readonly RecordedRequest[]> {
  return (await ctx.upstream.listRequests()).filter((record) => record.bodyText.includes(mark));
}

/** A gateway may try several times before it gives up, each time as long as its timer. */
export function timerPatience(ctx: SuiteContext): number {
  return ctx.timersMs * 4 + ctx.patienceMs;
}

/** Polls until the value is there, and fails with the sentence when patience is over. */
export async function until<T>(
  read: () => Promise<T | undefined>,
  options: { readonly withinMs: number; readonly orElse: string },
): Promise<T> {
  const deadline = performance.now() + options.withinMs;
  while (true) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() >= deadline) assert.fail(`${options.orElse} (waited ${options.withinMs} ms)`);
    await sleep(10);
  }
}
