import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MockHandle, RecordedRequest } from "../upstream/mock-upstream.ts";
import { Exchange } from "./client.ts";

/** What a gateway may lack for now, each with the reason that a skipped check states. */
export const FEATURES = {
  "relayed-limits": "it does not hand on the upstream's 429 with its headers",
  "relayed-errors": "it does not put upstream errors into OpenAI's shape",
  timers: "it has no short timers for headers, first token and silence between tokens",
  backpressure: "it does not hold the upstream back for a slow client",
} as const;

export type Feature = keyof typeof FEATURES;

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

/** A named part of a check. */
export type Case = readonly [name: string, run: () => Promise<void>];

/** Runs every case to its end, in turn, so that one failure does not hide another, and fails with all of them. */
export async function cases(list: readonly Case[]): Promise<void> {
  const failures: string[] = [];
  for (const each of list) failures.push(...(await failureOf(each)));
  if (failures.length > 0) assert.fail(failures.join("\n"));
}

/** The same, all at once: for cases that do nothing but wait. */
export async function casesTogether(list: readonly Case[]): Promise<void> {
  const failures = (await Promise.all(list.map(failureOf))).flat();
  if (failures.length > 0) assert.fail(failures.join("\n"));
}

async function failureOf([name, run]: Case): Promise<string[]> {
  try {
    await run();
    return [];
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return [`${name}: ${words.trimEnd().replaceAll(/\n+/g, "\n")}`];
  }
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
  const mark = `mark-${randomUUID()}`;
  const body = JSON.stringify({
    model: ctx.modelName(mockModel),
    messages: [{ role: "user", content: `Say something. (${mark})` }],
    ...how.fields,
  });
  return { mark, exchange: post(ctx, body, how) };
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
