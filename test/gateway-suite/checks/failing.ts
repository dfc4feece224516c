import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { RATE_LIMIT_HEADERS } from "../../upstream/behaviours.ts";
import { PIECES } from "../../upstream/chunks.ts";
import { cases, casesTogether } from "../cases.ts";
import { ask, recordsOf, timerPatience } from "../check.ts";
import type { Case } from "../cases.ts";
import type { Asking, Check, SuiteContext } from "../check.ts";
import { assertError, assertPauseTold, readError, readStream } from "../reading.ts";
import type { Transcript } from "../reading.ts";

/** Ways of failing after three content chunks. */
const AFTER_CONTENT = ["dies-mid-stream", "ends-early", "error-in-stream", "error-in-stream-done"] as const;
/** Ways of never giving a first token. */
const SILENT = ["silent", "silent-after-headers", "silent-comments"] as const;
const SENT_BEFORE = PIECES.slice(0, 3).join("");

/** Both ways of asking, as names of cases and body fields. */
const BOTH = [
  ["streamed", { stream: true }],
  ["whole", { stream: false }],
] as const;

function bothWays(models: readonly string[], run: (model: string, fields: object) => Promise<void>): Case[] {
  return models.flatMap((model) =>
    BOTH.map(([name, fields]) => [`${model} ${name}`, () => run(model, fields)] as const),
  );
}

function failing(ctx: SuiteContext, model: string, patienceMs = ctx.patienceMs): Asking {
  return ask(ctx, model, { fields: { stream: true }, patienceMs });
}

/** After content has gone out: an error event or a broken connection, and never what looks like an end. */
function assertNoCleanEnd(transcript: Transcript): void {
  assert.equal(transcript.content, SENT_BEFORE, "the content that the upstream had sent");
  assert.equal(transcript.dones, 0, "the number of [DONE]");
  assert.deepEqual(transcript.finishes, [], "finish reasons");
  assert.ok(transcript.errors.length > 0 || transcript.ending === "broken", "a clean end without an error event");
}

function neverCleanlyEnded(ctx: SuiteContext): Promise<void> {
  return cases([
    ...AFTER_CONTENT.map(
      (model) => [model, async () => assertNoCleanEnd(await readStream(failing(ctx, model).exchange))] as const,
    ),
    ...["dies-mid-stream", "ends-early"].map(
      (model) => [`${model} whole`, () => noTruncatedAnswer(ctx, model)] as const,
    ),
  ]);
}

/** Half of a JSON answer must not arrive as a whole one. */
async function noTruncatedAnswer(ctx: SuiteContext, model: string): Promise<void> {
  const { exchange } = ask(ctx, model);
  try {
    const { status } = await exchange.head();
    const text = await exchange.text();
    if (status >= 500) assertError(JSON.parse(text));
    else assert.equal(exchange.ending, "broken", `status ${status} and a clean end of half an answer`);
  } finally {
    exchange.destroy();
  }
}

function assertOneError(transcript: Transcript): void {
  assertNoCleanEnd(transcript);
  assert.equal(transcript.errors.length, 1, "error events");
  assertError(transcript.errors[0]);
  assert.equal(transcript.chunks.at(-1), transcript.errors[0], "the error event is the last event");
}

function oneErrorEvent(ctx: SuiteContext): Promise<void> {
  return cases(
    AFTER_CONTENT.map((model) => [model, async () => assertOneError(await readStream(failing(ctx, model).exchange))]),
  );
}

function errorStatusBeforeContent(ctx: SuiteContext): Promise<void> {
  const broken = ["dies-before-headers", "dies-before-content", "ends-empty", "lies-html", "lies-not-json"];
  return cases([
    ...bothWays(broken, (model, fields) => httpError(ctx, model, { fields, from: 500 })),
    // What the upstream called an error may keep the status that its words suggest.
    ...bothWays(["lies-json-error"], (model, fields) => httpError(ctx, model, { fields, from: 400 })),
    ["error-first-in-stream", () => httpError(ctx, "error-first-in-stream", { fields: { stream: true }, from: 400 })],
  ]);
}

async function httpError(
  ctx: SuiteContext,
  model: string,
  { fields, from }: { readonly fields: object; readonly from: number },
): Promise<void> {
  await readError(ask(ctx, model, { fields: { ...fields } }).exchange, [from, 599]);
}

async function sentOnce(ctx: SuiteContext, model: string): Promise<void> {
  const { exchange, mark } = failing(ctx, model);
  await readStream(exchange);
  // A second send would come at once, or after a short backoff.
  await sleep(300);
  assert.equal((await recordsOf(ctx, mark)).length, 1, "requests that reached the upstream");
}

function neverSentTwice(ctx: SuiteContext): Promise<void> {
  return cases(AFTER_CONTENT.map((model) => [model, () => sentOnce(ctx, model)]));
}

async function limitsRelayed(ctx: SuiteContext, model: string, fields: object): Promise<void> {
  const sentAtMs = Date.now();
  const error = await readError(ask(ctx, model, { fields: { ...fields } }).exchange, [429, 429]);
  assert.equal(error.message, "mock: rate limit reached for requests", "error.message");
  assert.deepEqual([error.type, error.code], ["requests", "rate_limit_exceeded"], "error.type and error.code");
  for (const [name, value] of Object.entries(RATE_LIMIT_HEADERS)) assert.equal(error.headers[name], value, name);
  assertPauseTold(error.headers["retry-after"], sentAtMs);
}

async function errorShaped(ctx: SuiteContext, model: string, fields: object): Promise<void> {
  const error = await readError(ask(ctx, model, { fields: { ...fields } }).exchange, [500, 599]);
  assert.doesNotMatch(error.message, /<html|<!doctype/i, "a web page as error.message");
}

/** A 400 is about the caller's own request, so the caller needs the upstream's words and the field's name. */
async function badRequestRelayed(ctx: SuiteContext, fields: object): Promise<void> {
  const error = await readError(ask(ctx, "error-400", { fields: { ...fields } }).exchange, [400, 400]);
  assert.match(error.message, /mock: temperature is too high/, "error.message");
  assert.deepEqual([error.param, error.code], ["temperature", "mock_400"], "error.param and error.code");
}

function errorsShaped(ctx: SuiteContext): Promise<void> {
  return cases([
    ...bothWays(["error-500", "error-500-html"], (model, fields) => errorShaped(ctx, model, fields)),
    ...bothWays(["error-400"], (_model, fields) => badRequestRelayed(ctx, fields)),
    ...bothWays(["error-401"], (model, fields) => httpError(ctx, model, { fields, from: 400 })),
  ]);
}

async function stallNoticed(ctx: SuiteContext): Promise<void> {
  const started = performance.now();
  const transcript = await readStream(failing(ctx, "stalls-mid-stream", timerPatience(ctx)).exchange);
  assertOneError(transcript);
  ctx.note(`10: the error came ${Math.round(performance.now() - started)} ms after the request`);
}

async function silenceNoticed(ctx: SuiteContext, model: string, fields: object): Promise<void> {
  const started = performance.now();
  const asking = ask(ctx, model, { fields: { ...fields }, patienceMs: timerPatience(ctx) });
  const { status } = await readError(asking.exchange, [500, 599]);
  ctx.note(`11 ${model}: ${status} after ${Math.round(performance.now() - started)} ms`);
}

/** Checks of what the client is told when the upstream fails. */
export const failingChecks: readonly Check[] = [
  {
    id: "7",
    title: "7 an upstream 429 keeps its status, retry-after, x-ratelimit-* and words",
    needs: "relayed-limits",
    run: (ctx) =>
      cases(bothWays(["rate-limited", "rate-limited-date"], (model, fields) => limitsRelayed(ctx, model, fields))),
  },
  { id: "8", title: "8 upstream errors arrive in OpenAI's error shape", needs: "relayed-errors", run: errorsShaped },
  { id: "9", title: "9 an upstream that fails after content never gives a clean end", run: neverCleanlyEnded },
  { id: "10", title: "10 an upstream that stalls in mid-stream is noticed", needs: "timers", run: stallNoticed },
  {
    id: "11",
    title: "11 an upstream that never answers gives a JSON error",
    needs: "timers",
    run: (ctx) => casesTogether(bothWays(SILENT, (model, fields) => silenceNoticed(ctx, model, fields))),
  },
  {
    id: "a",
    title: "a an upstream that fails before content gives an HTTP error, not a 200",
    run: errorStatusBeforeContent,
  },
  { id: "b", title: "b after content there is one error event and no [DONE]", run: oneErrorEvent },
  { id: "g", title: "g nothing is sent twice once content went out", run: neverSentTwice },
];
