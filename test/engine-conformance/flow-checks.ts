import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../until.ts";
import { readStream } from "./reading.ts";
import { RecordingSink, type SinkCall } from "./recording-sink.ts";
import { type Ask, type Checks, send, type Subject } from "./subject.ts";

// What may lie in sockets, in streams' buffers and in the engine while the client reads nothing.
const BUFFERS_BYTES = 16 * 1024 * 1024;

/** Progress, abort and backpressure. */
export function flowChecks(checks: Checks): void {
  const { subject, on } = checks;

  on("complete", "progress rises by the number asked for and never goes back", async (ask) => {
    for (const every of [1, 2, 3]) {
      const { sink } = send(subject().engine, ask, { watch: { progressEveryTokens: every } });
      const { made } = await sink.success();
      const wanted = Array.from({ length: Math.floor(made.contentPieces / every) }, (_, index) => (index + 1) * every);
      assert.deepEqual(sink.progressed, wanted);
    }
  });

  on(
    "endless",
    "an abort ends the attempt upstream, returns what was made, and the sink hears nothing more",
    async (ask) => {
      const { sink, call, order } = send(subject().engine, ask);
      await until("some content came", () => sink.progressed.length > 1);
      const made = call.abort();
      const heard = sink.calls.length;
      assert.equal(made.outputText, readStream(sink.output).text);
      assert.ok(made.contentPieces >= 4);
      await idle(subject(), order.clientRequestId);
      await sleep(30);
      assert.equal(sink.calls.length, heard);
      assert.deepEqual(call.abort(), made, "a second abort changes nothing");
      call.resume();
    },
  );

  on("silent", "an abort before the headers ends the attempt upstream", async (ask) => {
    const { sink, call, order } = send(subject().engine, ask);
    await until("the upstream has the request", () => subject().isBusyUpstream(order.clientRequestId));
    assert.deepEqual(call.abort(), { reported: null, outputText: "", contentPieces: 0 });
    await idle(subject(), order.clientRequestId);
    assert.deepEqual(sink.calls, []);
  });

  test("an abort at once, before anything was sent, is heard no more", async (context) => {
    const ask = checks.options.models.complete;
    if ("skip" in ask) return context.skip(ask.skip);
    const { sink, call, order } = send(subject().engine, ask);
    call.abort();
    await sleep(30);
    await idle(subject(), order.clientRequestId);
    assert.deepEqual(sink.calls, []);
  });

  for (const kind of ["first", "bytes", "progress"] as const) {
    on("endless", `an abort from inside \`${kind}\` is the last that the sink hears`, (ask) =>
      abortInside(subject(), ask, kind),
    );
  }

  on("large", "a client that does not read stops the upstream, and all of the answer comes once it reads", (ask) =>
    pausedAndResumed(subject(), ask),
  );

  on("large", "the time in which the client does not read is no silence of the upstream", async (ask) => {
    const sink = new RecordingSink();
    sink.wantsMore = false;
    const { call, order } = send(subject().engine, ask, { sink, watch: { idleMs: 150 } });
    await sink.seen("bytes");
    await sleep(500);
    assert.equal(sink.count("failed"), 0);
    call.abort();
    await idle(subject(), order.clientRequestId);
  });
}

function idle(subject: Subject, clientRequestId: string): Promise<void> {
  return until("the upstream has ended it", async () => !(await subject.isBusyUpstream(clientRequestId)));
}

async function abortInside(subject: Subject, ask: Ask, kind: SinkCall["kind"]): Promise<void> {
  const sink = new RecordingSink();
  let abort = (): void => {};
  sink.onCall = (call) => call.kind === kind && abort();
  const { call, order } = send(subject.engine, ask, { sink, watch: { progressEveryTokens: 1 } });
  abort = () => void call.abort();
  await sink.seen(kind);
  const heard = sink.calls.length;
  await idle(subject, order.clientRequestId);
  await sleep(20);
  assert.equal(sink.calls.length, heard);
  assert.equal(sink.calls.at(-1)?.kind, kind);
}

async function pausedAndResumed(subject: Subject, ask: Ask): Promise<void> {
  const sink = new RecordingSink();
  sink.wantsMore = false;
  const { call, order } = send(subject.engine, ask, { sink });
  await sink.seen("bytes");
  await sleep(300);
  const heard = sink.count("bytes");
  const sentBytes = subject.sentBytes(order.clientRequestId);
  await sleep(100);
  assert.equal(sink.count("bytes"), heard, "bytes came while paused");
  assert.ok(heard <= 2, `${heard} pieces came before the pause`);
  if (sentBytes !== null) {
    assert.ok(sentBytes < BUFFERS_BYTES, `the upstream wrote ${sentBytes} bytes to a client that reads none`);
  }
  // Each piece asks for a pause again, as a slow client does.
  while (sink.count("finished") + sink.count("failed") === 0) {
    call.resume();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { made } = await sink.success();
  const read = readStream(sink.output);
  assert.equal(read.dones, 1);
  assert.equal(read.text.length, made.outputText.length);
}
