import assert from "node:assert/strict";
import { CACHED_USAGE, USAGE, ZERO_USAGE } from "../../upstream/chunks.ts";
import type { Usage } from "../../upstream/chunks.ts";
import { cases } from "../cases.ts";
import { ask } from "../check.ts";
import type { Check, SuiteContext } from "../check.ts";
import { readJson, readStream } from "../reading.ts";
import type { Chunk, Transcript } from "../reading.ts";

const ASKED = { stream: true, stream_options: { include_usage: true } } as const;

function stream(ctx: SuiteContext, model: string, fields: Readonly<Record<string, unknown>>): Promise<Transcript> {
  return readStream(ask(ctx, model, { fields }).exchange);
}

/** A null is no usage: OpenAI itself puts `usage: null` on every chunk but the last. */
function withUsage(transcript: Transcript): readonly Chunk[] {
  return transcript.chunks.filter((chunk) => chunk.usage !== undefined && chunk.usage !== null);
}

function withoutChoices(transcript: Transcript): readonly Chunk[] {
  return transcript.chunks.filter((chunk) => chunk.error === undefined && chunk.choices?.length === 0);
}

async function oneWhenAsked(ctx: SuiteContext): Promise<void> {
  const transcript = await stream(ctx, "ok", ASKED);
  assert.equal(withUsage(transcript).length, 1, "chunks with usage");
  assert.deepEqual(withUsage(transcript)[0]?.choices, [], "choices of the usage chunk");
  assert.equal(transcript.chunks.at(-1), withUsage(transcript)[0], "the usage chunk is the last before [DONE]");
  assert.equal(transcript.dones, 1, "the number of [DONE]");
}

async function noneUnasked(ctx: SuiteContext, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const transcript = await stream(ctx, "ok", { stream: true, ...fields });
  assert.deepEqual(withUsage(transcript), [], "usage that was not asked for");
  assert.deepEqual(withoutChoices(transcript), [], "chunks without choices that were not asked for");
  assert.equal(transcript.dones, 1, "the number of [DONE]");
}

function usageOnlyIfAsked(ctx: SuiteContext): Promise<void> {
  return cases([
    ["asked", () => oneWhenAsked(ctx)],
    ["not asked", () => noneUnasked(ctx, {})],
    ["asked not to", () => noneUnasked(ctx, { stream_options: { include_usage: false } })],
    ["stream_options null", () => noneUnasked(ctx, { stream_options: null })],
  ]);
}

/** The upstream's fields have to be there with its figures. Fields that the gateway adds beside them are its own affair. */
function assertUsage(actual: unknown, expected: Usage): void {
  assert.ok(typeof actual === "object" && actual !== null, `no usage: ${JSON.stringify(actual)}`);
  assert.deepEqual({ ...actual, ...expected }, actual, "usage");
}

async function streamedUsage(ctx: SuiteContext, model: string, expected: Usage): Promise<void> {
  const transcript = await stream(ctx, model, ASKED);
  const chunks = withUsage(transcript);
  assert.equal(chunks.length, 1, "chunks with usage");
  assertUsage(chunks[0]?.usage, expected);
}

async function wholeUsage(ctx: SuiteContext, model: string, expected: Usage): Promise<void> {
  const reply = await readJson(ask(ctx, model).exchange);
  assert.equal(reply.status, 200, "status");
  assertUsage(reply.body["usage"], expected);
}

function usageCases(ctx: SuiteContext, rows: readonly (readonly [string, Usage])[]): Promise<void> {
  return cases(
    rows.flatMap(([model, usage]) => [
      [`${model} streamed`, () => streamedUsage(ctx, model, usage)] as const,
      [`${model} whole`, () => wholeUsage(ctx, model, usage)] as const,
    ]),
  );
}

function usageIsUpstreams(ctx: SuiteContext): Promise<void> {
  return usageCases(ctx, [
    ["ok", USAGE],
    ["cached", CACHED_USAGE],
    ["ok-usage-in-last-chunk", USAGE],
  ]);
}

/** Checks of the figures that clients are told. */
export const usageChecks: readonly Check[] = [
  {
    id: "3",
    title: "3 include_usage gives one extra chunk with choices: [], and only if asked",
    run: usageOnlyIfAsked,
  },
  { id: "4", title: "4 usage equals the upstream's figures", run: usageIsUpstreams },
  {
    id: "e",
    title: "e an explicit zero in usage is not replaced",
    run: (ctx) => usageCases(ctx, [["ok-zero-usage", ZERO_USAGE]]),
  },
];
