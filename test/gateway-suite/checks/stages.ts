import assert from "node:assert/strict";
import { cases, casesTogether } from "../cases.ts";
import { ask, recordsOf, timerPatience, until } from "../check.ts";
import type { Case } from "../cases.ts";
import type { Check, SuiteContext } from "../check.ts";
import { USAGE } from "../../upstream/chunks.ts";
import { assertError, parseChunk, readError, readStream, readToContent } from "../reading.ts";

const STREAM = { fields: { stream: true } };

/** The stages of an answer, each with a model that stops there. */
const STAGES = {
  headers: "silent",
  "first token": "silent-after-headers",
  "first token, comments": "silent-comments",
  silence: "stalls-mid-stream",
  total: "endless",
  connect: "deaf",
} as const;

type Stage = keyof typeof STAGES;

/** The code with which a stage ends: in an HTTP error, or in the error event after content. */
async function codeOf(ctx: SuiteContext, stage: Stage): Promise<string> {
  const patienceMs = timerPatience(ctx);
  const { exchange } = ask(ctx, STAGES[stage], { ...STREAM, patienceMs });
  const hasContent = stage === "silence" || stage === "total";
  const { code } = hasContent ? await errorEvent(ctx, exchange) : await readError(exchange, [500, 599]);
  return code ?? assert.fail("the error has no code");
}

/** Bytes that keep coming must not keep the client: the whole answer has to end in time too. */
async function errorEvent(ctx: SuiteContext, exchange: ReturnType<typeof ask>["exchange"]) {
  const endMs = performance.now() + timerPatience(ctx);
  try {
    for (let event = await exchange.nextEvent(); event; event = await exchange.nextEvent()) {
      assert.ok(performance.now() < endMs, "the answer went on for longer than its timer");
      const chunk = parseChunk(event);
      if (chunk.error !== undefined) return assertError(chunk);
    }
    return assert.fail("the answer ended without an error event");
  } finally {
    exchange.destroy();
  }
}

async function stagesTold(ctx: SuiteContext): Promise<void> {
  const needs = (stage: Stage) => (stage === "total" || stage === "connect" ? (`${stage}-timer` as const) : "timers");
  const stages = (Object.keys(STAGES) as Stage[]).filter((stage) => ctx.features.has(needs(stage)));
  const codes = new Map<Stage, string>();
  await casesTogether(
    stages.map((stage) => [stage, async () => void codes.set(stage, await codeOf(ctx, stage))] as const),
  );
  ctx.note(`c: ${[...codes].map(([stage, code]) => `${stage}: ${code}`).join(", ")}`);
  assert.equal(codes.get("first token, comments"), codes.get("first token"), "comments are no first token: code");
  codes.delete("first token, comments");
  assert.equal(new Set(codes.values()).size, codes.size, `stages that share a code: ${[...codes].join("; ")}`);
}

/** Leaves after the first content, and waits until the upstream's side is over, however it came to that. */
async function leaveEarly(ctx: SuiteContext, model: string, withinMs: number) {
  const { mark, exchange } = ask(ctx, model, STREAM);
  await readToContent(exchange);
  const head = await exchange.head();
  exchange.destroy();
  const record = await until(
    async () => (await recordsOf(ctx, mark)).find(({ closedAtMs, ended }) => closedAtMs !== null || ended),
    { withinMs, orElse: "the upstream's connection stayed open after the client had left" },
  );
  assert.equal((await recordsOf(ctx, mark)).length, 1, "requests that reached the upstream");
  return { head, record };
}

type Left = Awaited<ReturnType<typeof leaveEarly>>;

/** What the gateway says was used, where it says so: the upstream's figure, or an estimate that is said to be one. */
async function assertUsage(ctx: SuiteContext, { head }: Left, of: { readonly isDrained: boolean }): Promise<void> {
  if (ctx.usageOf === undefined) return;
  const { outputTokens, isExact } = await ctx.usageOf(head);
  if (of.isDrained) assert.deepEqual([outputTokens, isExact], [USAGE.completion_tokens, true], "usage, exact");
  else
    assert.deepEqual([outputTokens !== null && outputTokens > 0, isExact], [true, false], "an estimate, and so said");
}

async function cancels(ctx: SuiteContext): Promise<void> {
  const left = await leaveEarly(ctx, "endless", Math.min(ctx.patienceMs, ctx.timersMs || ctx.patienceMs));
  assert.ok(left.record.closedEarly, "the upstream came to its end before it was cancelled");
  await assertUsage(ctx, left, { isDrained: false });
}

async function drains(ctx: SuiteContext): Promise<void> {
  const left = await leaveEarly(ctx, "drained", ctx.patienceMs);
  assert.ok(left.record.ended && !left.record.closedEarly, "the upstream was closed before its end");
  await assertUsage(ctx, left, { isDrained: true });
}

async function drainIsBounded(ctx: SuiteContext): Promise<void> {
  const left = await leaveEarly(ctx, "drained-endless", timerPatience(ctx));
  await assertUsage(ctx, left, { isDrained: false });
}

function leavingAsConfigured(ctx: SuiteContext): Promise<void> {
  if (ctx.usageOf === undefined) ctx.note("f: what was used is not looked at, as this gateway does not tell it");
  const list: Case[] = [
    ["cancel", () => cancels(ctx)],
    ["drain", () => drains(ctx)],
    ["drain of what does not end", () => drainIsBounded(ctx)],
    [
      "a client that stays",
      async () => assert.equal((await readStream(ask(ctx, "drained", STREAM).exchange)).dones, 1),
    ],
  ];
  return cases(list);
}

/** Checks of how long each stage of an answer may take, and of what is left of it when its client has gone. */
export const stageChecks: readonly Check[] = [
  {
    id: "c",
    title: "c connect, headers, first token, silence and total each end in time, with a code of their own",
    needs: "timers",
    run: stagesTold,
  },
  {
    id: "f",
    title: "f when the client leaves, the upstream is closed, or drained within a bound where that is chosen",
    needs: "drain",
    run: leavingAsConfigured,
  },
];
