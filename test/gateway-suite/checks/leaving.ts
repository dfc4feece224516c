import assert from "node:assert/strict";
import { cases } from "../cases.ts";
import { ask, recordsOf, until } from "../check.ts";
import type { Asking, Check, SuiteContext } from "../check.ts";
import { readToContent } from "../reading.ts";

/** Breaks the client's connection and waits for the upstream to see its own closed. */
async function leave(ctx: SuiteContext, { mark, exchange }: Asking, what: string): Promise<void> {
  const leftAtMs = Date.now();
  exchange.destroy();
  const closed = await until(
    async () => {
      const [record] = await recordsOf(ctx, mark);
      return record?.closedAtMs === null ? undefined : record;
    },
    { withinMs: withinMs(ctx), orElse: "the upstream's connection stayed open after the client had left" },
  );
  assert.ok(closed.closedEarly, "the upstream came to its end before it was cancelled");
  ctx.note(
    `${what}: the upstream was closed ${Math.max(0, (closed.closedAtMs ?? 0) - leftAtMs)} ms after the client left`,
  );
  const records = await recordsOf(ctx, mark);
  assert.equal(records.length, 1, "requests that reached the upstream");
}

/** Where the gateway has short timers, a close that came from one of them must not pass for a cancellation. */
function withinMs(ctx: SuiteContext): number {
  return ctx.timersMs > 0 ? Math.min(ctx.patienceMs, ctx.timersMs * 0.75) : ctx.patienceMs;
}

async function leaveMidStream(ctx: SuiteContext, model: string): Promise<void> {
  const asking = ask(ctx, model, { fields: { stream: true } });
  try {
    await readToContent(asking.exchange);
    await leave(ctx, asking, `5 ${model}`);
  } finally {
    await ctx.upstream.release(asking.mark);
  }
}

async function leaveWaiting(ctx: SuiteContext, model: string, stream: boolean): Promise<void> {
  const asking = ask(ctx, model, { fields: { stream } });
  await until(async () => (await recordsOf(ctx, asking.mark))[0], {
    withinMs: ctx.patienceMs,
    orElse: "the request did not reach the upstream",
  });
  await leave(ctx, asking, `6 ${model}, ${stream ? "stream" : "whole answer"}`);
}

function goneMidStream(ctx: SuiteContext): Promise<void> {
  return cases([
    ["while chunks come", () => leaveMidStream(ctx, "endless")],
    ["while the upstream is quiet", () => leaveMidStream(ctx, "hold-after-first")],
  ]);
}

function goneWaiting(ctx: SuiteContext): Promise<void> {
  return cases([
    ["stream, before the headers", () => leaveWaiting(ctx, "silent", true)],
    ["stream, before the first token", () => leaveWaiting(ctx, "silent-after-headers", true)],
    ["stream, slow first token", () => leaveWaiting(ctx, "slow-first-30000", true)],
    ["whole answer, before the headers", () => leaveWaiting(ctx, "silent", false)],
    ["whole answer, slow", () => leaveWaiting(ctx, "slow-first-30000", false)],
  ]);
}

/** Checks of what happens upstream when the client leaves. */
export const leavingChecks: readonly Check[] = [
  { id: "5", title: "5 a client gone in mid-stream closes the upstream", run: goneMidStream },
  { id: "6", title: "6 a client gone while waiting closes the upstream, streaming or not", run: goneWaiting },
];
