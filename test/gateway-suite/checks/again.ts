import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ARRANGEMENTS, PAUSE_SECONDS } from "../arrangements.ts";
import { cases, casesTogether } from "../cases.ts";
import { ask, bodyOf, post, recordsOf, until } from "../check.ts";
import type { Check, SuiteContext } from "../check.ts";
import type { Exchange } from "../client.ts";
import { assertPauseTold, readError, readJson, readStream } from "../reading.ts";

/** The mock notes whole milliseconds of a clock that may be set meanwhile; a gateway's own is another. */
const CLOCKS_MS = 50;

type Pair = "pair-seconds" | "pair-date";

/** Asks until the limited half of the pair was called, and returns when that was. Whoever is called, the client gets its answer. */
async function untilLimitedCalled(ctx: SuiteContext, pair: Pair, withinMs: number): Promise<number> {
  const [limited] = ARRANGEMENTS[pair].deployments;
  return until(
    async () => {
      const { exchange, mark } = ask(ctx, pair);
      const reply = await readJson(exchange);
      assert.equal(reply.status, 200, `status, with another backend that fits: ${JSON.stringify(reply.body)}`);
      const records = await recordsOf(ctx, mark);
      const called = records.find(({ model }) => model === limited);
      // Not a busy loop: a gateway that goes round among its backends has gone round long before.
      if (called === undefined) await sleep(50);
      return called?.startedAtMs;
    },
    { withinMs, orElse: `the backend that asked for ${PAUSE_SECONDS} s was not called` },
  );
}

async function pausesAsAsked(ctx: SuiteContext, pair: Pair, atLeastMs: number): Promise<void> {
  const firstAtMs = await untilLimitedCalled(ctx, pair, ctx.patienceMs);
  const againAtMs = await untilLimitedCalled(ctx, pair, PAUSE_SECONDS * 1000 + ctx.patienceMs);
  const pauseMs = againAtMs - firstAtMs;
  ctx.note(`17 ${pair}: called again after ${pauseMs} ms`);
  assert.ok(pauseMs >= atLeastMs - CLOCKS_MS, `called again after ${pauseMs} ms, before the ${atLeastMs} ms were over`);
}

/** With one backend there is nobody else to ask, so the client has to learn how long to wait. */
async function tellsPause(ctx: SuiteContext, model: string): Promise<void> {
  const sentAtMs = Date.now();
  const error = await readError(ask(ctx, model).exchange, [429, 429]);
  assertPauseTold(error.headers["retry-after"], sentAtMs);
}

function pausesHonoured(ctx: SuiteContext): Promise<void> {
  return casesTogether([
    ["in seconds, another fits", () => pausesAsAsked(ctx, "pair-seconds", PAUSE_SECONDS * 1000)],
    // A date knows no parts of a second, so that up to one of them is lost in writing it.
    ["as a date, another fits", () => pausesAsAsked(ctx, "pair-date", (PAUSE_SECONDS - 1) * 1000)],
    ["in seconds, one backend", () => tellsPause(ctx, "rate-limited")],
    ["as a date, one backend", () => tellsPause(ctx, "rate-limited-date")],
  ]);
}

/** One request that may be sent several times with one key. */
interface Keyed {
  readonly mark: string;
  send(body?: string): Exchange;
}

function keyed(ctx: SuiteContext, model: string, fields: Readonly<Record<string, unknown>> = {}): Keyed {
  const { mark, body } = bodyOf(ctx, model, fields);
  const headers = { "idempotency-key": `key-${randomUUID()}` };
  return { mark, send: (other = body) => post(ctx, other, { headers }) };
}

async function assertServedOnce(ctx: SuiteContext, mark: string): Promise<void> {
  assert.equal((await recordsOf(ctx, mark)).length, 1, "requests that reached the upstream");
}

async function replaysWhole(ctx: SuiteContext): Promise<void> {
  const { mark, send } = keyed(ctx, "ok");
  const [first, second] = [await readJson(send()), await readJson(send())];
  assert.deepEqual([first.status, second.status], [200, 200], "status");
  assert.deepEqual(second.body, first.body, "the answer");
  await assertServedOnce(ctx, mark);
}

async function replaysStream(ctx: SuiteContext): Promise<void> {
  const { mark, send } = keyed(ctx, "ok", { stream: true });
  const [first, second] = [await readStream(send()), await readStream(send())];
  assert.deepEqual(second.events, first.events, "the stream's events");
  assert.deepEqual([second.dones, second.ending], [1, "clean"], "the stream's end");
  await assertServedOnce(ctx, mark);
}

async function otherBodyConflicts(ctx: SuiteContext): Promise<void> {
  const { send } = keyed(ctx, "ok");
  await readJson(send());
  const other = bodyOf(ctx, "ok");
  await readError(send(other.body), [409, 409]);
  assert.equal((await recordsOf(ctx, other.mark)).length, 0, "the other body reached the upstream");
}

async function inProgressConflicts(ctx: SuiteContext, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const { mark, send } = keyed(ctx, "hold-after-first", fields);
  try {
    const first = send();
    await until(async () => (await recordsOf(ctx, mark))[0], {
      withinMs: ctx.patienceMs,
      orElse: "the request did not reach the upstream",
    });
    await readError(send(), [409, 409]);
    await ctx.upstream.release(mark);
    const answer = await first.text();
    assert.equal(await send().text(), answer, "the answer, once it is made");
    await assertServedOnce(ctx, mark);
  } finally {
    await ctx.upstream.release(mark);
  }
}

function keysKept(ctx: SuiteContext): Promise<void> {
  return cases([
    ["the same again, whole", () => replaysWhole(ctx)],
    ["the same again, streamed", () => replaysStream(ctx)],
    ["another body", () => otherBodyConflicts(ctx)],
    ["in progress, whole", () => inProgressConflicts(ctx, {})],
    ["in progress, streamed", () => inProgressConflicts(ctx, { stream: true })],
  ]);
}

/** Checks of what happens when a backend or a client asks for, or makes, another try. */
export const againChecks: readonly Check[] = [
  { id: "17", title: "17 retry-after, in seconds or as a date, is honoured", needs: "pauses", run: pausesHonoured },
  {
    id: "18",
    title: "18 an idempotency-key replays its answer, and conflicts on another body or while in progress",
    needs: "idempotency",
    run: keysKept,
  },
];
