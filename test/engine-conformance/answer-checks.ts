import assert from "node:assert/strict";
import { test } from "node:test";
import { assertWholeEvents, readStream } from "./reading.ts";
import { RecordingSink } from "./recording-sink.ts";
import { type Ask, type Change, type Checks, send } from "./subject.ts";

/** Complete answers, streamed and whole: order, bytes, usage and edits. */
export function answerChecks(checks: Checks): void {
  shapeChecks(checks);
  usageChecks(checks);
  editChecks(checks);
}

function shapeChecks({ options, subject, on }: Checks): void {
  const start = (ask: Ask, change?: Change) => send(subject().engine, ask, change);

  on("complete", "a stream's calls come in order: first, bytes, finished, and one end", async (ask) => {
    const { sink } = start(ask);
    const end = await sink.success();
    assert.equal(end.status, 200);
    assert.ok(end.finishReason !== null);
    assert.equal(sink.count("first"), 1);
    assert.equal(sink.count("finished") + sink.count("failed"), 1);
    const before = sink.calls.slice(
      0,
      sink.calls.findIndex((call) => call.kind === "first"),
    );
    const early = Buffer.concat(before.flatMap((call) => (call.kind === "bytes" ? [call.chunk] : [])));
    assert.equal(readStream(early).text, "", "content before `first`");
  });

  on("complete", "a stream's bytes are whole events and end with one [DONE]", async (ask) => {
    const sink = new RecordingSink();
    sink.onCall = (call) => call.kind === "bytes" && assertWholeEvents(call.chunk);
    const end = await start(ask, { sink }).sink.success();
    const read = readStream(sink.output);
    assert.equal(read.dones, 1);
    assert.ok(read.text.length > 0);
    assert.equal(end.made.outputText, read.text, "what was made is what was sent");
    assert.ok(end.made.contentPieces > 1);
  });

  on("complete", "a whole answer comes in one piece", async (ask) => {
    const { sink } = start(ask, { stream: false });
    const end = await sink.success();
    assert.deepEqual(sink.kinds, ["bytes", "finished"]);
    assert.equal(sink.count("bytes"), 1);
    const answer = JSON.parse(sink.output.toString()) as { choices: { message: { content: string } }[] };
    assert.equal(answer.choices[0]?.message.content, end.made.outputText);
    assert.ok((end.made.reported?.outputTokens ?? 0) > 0);
    assert.ok(end.finishReason !== null);
  });

  const completions = "a text completion is answered, streamed and whole";
  if (options.completions !== undefined) test(completions, options.completions, () => {});
  else
    on("complete", completions, async (ask) => {
      const streamed = start(ask, { endpoint: "completions" });
      assert.equal((await streamed.sink.success()).made.outputText, readStream(streamed.sink.output).text);
      const whole = start(ask, { endpoint: "completions", stream: false });
      assert.ok((await whole.sink.success()).made.outputText.length > 0);
    });

  on("withoutDone", "a complete stream without [DONE] gets one", async (ask) => {
    const { sink } = start(ask);
    await sink.success();
    assert.equal(readStream(sink.output).dones, 1);
  });
}

function usageChecks({ subject, on }: Checks): void {
  const start = (ask: Ask, change?: Change) => send(subject().engine, ask, change);

  on("complete", "usage asked for by the client is reported and shown", async (ask) => {
    const { sink } = start(ask, { wantsUsage: true });
    const { made } = await sink.success();
    assert.equal(made.reported?.method, "provider_reported");
    assert.ok((made.reported.inputTokens ?? 0) > 0 && (made.reported.outputTokens ?? 0) > 0);
    const last = readStream(sink.output).chunks.at(-1);
    assert.deepEqual(last?.choices, []);
    assert.ok(last.usage !== null && last.usage !== undefined);
  });

  on("complete", "usage asked for by us alone is reported and its chunk is hidden from the client", async (ask) => {
    const { sink } = start(ask, { edits: { forceUsage: true } });
    const { made } = await sink.success();
    assert.ok((made.reported?.outputTokens ?? 0) > 0);
    const { chunks, dones } = readStream(sink.output);
    assert.ok(chunks.every((chunk) => chunk.choices.length > 0 && (chunk.usage ?? null) === null));
    assert.equal(dones, 1);
  });

  on("withoutUsage", "usage that never comes is null, not zero", async (ask) => {
    assert.equal((await start(ask, { wantsUsage: true }).sink.success()).made.reported, null);
    assert.equal((await start(ask, { stream: false }).sink.success()).made.reported, null);
  });
}

function editChecks({ subject, on }: Checks): void {
  const start = (ask: Ask, change?: Change) => send(subject().engine, ask, change);

  on("echo", "the model's name is edited and every other byte arrives as it was", async (ask) => {
    const odd = (model: string): string =>
      `{ "seed" : 123456789012345678901234567890,\t"x":"\\u0041é",\n"model" :"${model}" , "stream":true, "messages":[ {"role":"user","content":"\\"model\\":1"} ], "n":1e0 }`;
    const { sink } = start(ask, { body: Buffer.from(odd("asked-for")), edits: { model: ask.model } });
    assert.equal((await sink.success()).made.outputText, odd(ask.model));
  });

  on("echo", "usage is forced without touching other stream options", async (ask) => {
    const body = (usage: string): Buffer =>
      Buffer.from(
        `{"model":"${ask.model}","stream":true,"stream_options":{ "n":1e400 ,${usage}},"messages":[{"role":"user","content":"x"}]}`,
      );
    const { sink } = start(ask, { body: body('"include_usage":false'), edits: { forceUsage: true } });
    assert.equal((await sink.success()).made.outputText, body('"include_usage":true').toString());
  });

  on("echo", "a body without edits arrives byte by byte", async (ask) => {
    const body = Buffer.from(
      `{"model":"${ask.model}",  "stream":true,"messages":[{"role":"user","content":"\\u00e9"}]}`,
    );
    assert.equal((await start(ask, { body }).sink.success()).made.outputText, body.toString());
  });
}
