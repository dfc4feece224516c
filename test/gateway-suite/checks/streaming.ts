import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { TOOL_CALLS } from "../../upstream/behaviours.ts";
import { PIECES } from "../../upstream/chunks.ts";
import { cases } from "../cases.ts";
import { ask, recordsOf, until } from "../check.ts";
import type { Check, SuiteContext } from "../check.ts";
import { readStream, readToContent } from "../reading.ts";
import type { Chunk, Transcript } from "../reading.ts";

const TEXT = PIECES.join("");
const STREAM = { stream: true } as const;

/** The upstream holds its second chunk back until the first has been read, so a gateway that waits for more never passes. */
async function firstChunkAtOnce(ctx: SuiteContext): Promise<void> {
  const { exchange, mark } = ask(ctx, "hold-after-first", { fields: STREAM });
  try {
    assert.equal(await readToContent(exchange), PIECES[0], "the first content");
    const [record] = await recordsOf(ctx, mark);
    assert.ok(record && !record.ended, "the upstream should still be holding its second chunk back");
    await ctx.upstream.release(mark);
    const rest = await readStream(exchange);
    assert.equal(rest.content, PIECES.slice(1).join(""), "the content after the release");
    assert.equal(rest.dones, 1, "the number of [DONE]");
  } finally {
    await ctx.upstream.release(mark);
    exchange.destroy();
  }
}

/** Asserts a complete stream: content and one finish, one [DONE] at the very end, and a clean end of the body. */
function assertComplete(transcript: Transcript, expected: { readonly text: string; readonly finish: string }): void {
  assert.equal(transcript.ending, "clean", "the end of the body");
  assert.deepEqual(transcript.errors, [], "error events");
  assert.equal(transcript.content, expected.text, "content");
  assert.deepEqual(transcript.finishes, [expected.finish], "finish reasons");
  assert.equal(transcript.dones, 1, "the number of [DONE]");
  assert.equal(transcript.events.at(-1)?.data, "[DONE]", "the last event");
  for (const chunk of transcript.chunks) assert.equal(chunk.object, "chat.completion.chunk", "object of a chunk");
}

function assertStreamHeaders({ headers }: Transcript): void {
  assert.match(headers["cache-control"] ?? "", /no-cache|no-store/, "cache-control");
  assert.equal(headers["x-mock-hop"], undefined, "a header that the upstream named in `connection` was handed on");
  assert.equal(headers["proxy-authenticate"], undefined, "the hop-by-hop header proxy-authenticate was handed on");
  assert.doesNotMatch(String(headers["keep-alive"] ?? ""), /77/, "the upstream's own keep-alive was handed on");
  assert.doesNotMatch(headers.connection ?? "", /x-mock-hop/, "the upstream's own connection header was handed on");
}

async function wellFormed(ctx: SuiteContext, model: string, text: string): Promise<void> {
  const transcript = await readStream(ask(ctx, model, { fields: STREAM }).exchange);
  assertStreamHeaders(transcript);
  assertComplete(transcript, { text, finish: "stop" });
}

function joinToolCalls(chunks: readonly Chunk[]): unknown[] {
  const calls: { id?: string; type?: string; name: string; args: string }[] = [];
  for (const part of chunks.flatMap((chunk) => chunk.choices?.[0]?.delta?.tool_calls ?? [])) {
    const call = (calls[part.index] ??= { name: "", args: "" });
    if (part.id !== undefined) call.id = part.id;
    if (part.type !== undefined) call.type = part.type;
    call.name += part.function?.name ?? "";
    call.args += part.function?.arguments ?? "";
  }
  return calls.map((call) => ({ id: call.id, type: call.type, function: { name: call.name, arguments: call.args } }));
}

async function toolCalls(ctx: SuiteContext): Promise<void> {
  const transcript = await readStream(ask(ctx, "tools", { fields: STREAM }).exchange);
  assertComplete(transcript, { text: "", finish: "tool_calls" });
  assert.deepEqual(joinToolCalls(transcript.chunks), TOOL_CALLS, "tool calls");
}

/** The answer is complete without [DONE], so a gateway may complete the stream or call it broken, but not hand it on so. */
async function missingDone(ctx: SuiteContext): Promise<void> {
  const transcript = await readStream(ask(ctx, "no-done", { fields: STREAM }).exchange);
  assert.equal(transcript.content, TEXT, "content");
  assert.equal(transcript.dones + transcript.errors.length, 1, "one [DONE] or one error event");
}

function numberedText(count: number): string {
  return Array.from({ length: count }, (_each, index) => `t${index} `).join("");
}

function streamsAreWellFormed(ctx: SuiteContext): Promise<void> {
  const plain = ["ok", "comments", "split-bytes", "crlf", "ok-no-usage", "slow-first-300", "slow-chunks-20"];
  return cases([
    ...plain.map((model) => [model, () => wellFormed(ctx, model, TEXT)] as const),
    ["long-500", () => wellFormed(ctx, "long-500", numberedText(500))],
    ["tools", () => toolCalls(ctx)],
    ["no-done", () => missingDone(ctx)],
  ]);
}

const FLOOD_BYTES = 64 * 1024 * 1024;
const TOO_MANY_BYTES = FLOOD_BYTES * 0.75;

/**
 * The client stops reading. What the upstream could send until it stood still lies in buffers on the way; a gateway that
 * keeps reading takes all of it. Three quarters leave room for the socket buffers of two connections.
 */
async function backpressure(ctx: SuiteContext): Promise<void> {
  const { exchange, mark } = ask(ctx, "flood-64", { fields: STREAM });
  try {
    await readToContent(exchange);
    let before = -1;
    const stoodAt = await until(
      async () => {
        await sleep(300);
        const [record] = await recordsOf(ctx, mark);
        const sent = record?.sentBytes ?? 0;
        const still = sent === before || sent >= TOO_MANY_BYTES;
        before = sent;
        return still ? sent : undefined;
      },
      { withinMs: ctx.patienceMs * 4, orElse: "the upstream never stood still although the client did not read" },
    );
    ctx.note(`16: the upstream stood still after ${(stoodAt / 1024 / 1024).toFixed(1)} of 64 MiB`);
    assert.ok(stoodAt < TOO_MANY_BYTES, `the gateway took ${stoodAt} bytes that the client had not read`);
    const rest = await readStream(exchange);
    assert.equal(rest.dones, 1, "the number of [DONE] after reading on");
    assert.equal(rest.content.length % (16 * 1024), 0, "content was lost");
    assert.ok(rest.content.length > FLOOD_BYTES - 1024 * 1024, "content was lost");
  } finally {
    exchange.destroy();
  }
}

/** Checks of how a healthy stream is handed on. */
export const streamingChecks: readonly Check[] = [
  { id: "1", title: "1 the first chunk is delivered while the upstream holds the second back", run: firstChunkAtOnce },
  {
    id: "2",
    title: "2 streams are event streams, ended by one [DONE], with comments tolerated and no hop-by-hop headers",
    run: streamsAreWellFormed,
  },
  {
    id: "16",
    title: "16 a client that does not read holds the upstream back",
    needs: "backpressure",
    run: backpressure,
  },
];
