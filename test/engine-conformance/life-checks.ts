import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Checks, send } from "./subject.ts";

/** Probing and closing. */
export function lifeChecks({ options, subject, on }: Checks): void {
  test("a probe says that it is up, and which models it has", async () => {
    assert.deepEqual(await subject().engine.probe(), options.report);
  });

  test("a probe of an upstream that is not there says so and does not throw", async () => {
    const engine = options.unreachable();
    const report = await engine.probe();
    assert.notEqual(report.state, "up");
    await engine.close();
  });

  on("complete", "many sends at once each get their own answer", async (ask) => {
    const sent = Array.from({ length: 12 }, (_, index) => send(subject().engine, ask, { stream: index % 2 === 0 }));
    const ends = await Promise.all(sent.map(({ sink }) => sink.success()));
    assert.ok(ends.every(({ made }) => made.outputText.length > 0));
  });

  on("endless", "closing ends what is under way, each with one failure, and nothing can be sent after", async (ask) => {
    const apart = await options.make();
    const streams = [send(apart.engine, ask), send(apart.engine, ask)];
    for (const { sink } of streams) await sink.seen("first");
    await apart.engine.close();
    for (const { sink } of streams) {
      await sink.failure();
      assert.equal(sink.count("failed"), 1);
    }
    const late = send(apart.engine, ask);
    await late.sink.failure();
    const heard = streams.map(({ sink }) => sink.calls.length);
    await sleep(30);
    assert.deepEqual(
      streams.map(({ sink }) => sink.calls.length),
      heard,
    );
    assert.notEqual((await apart.engine.probe()).state, "up");
    await apart.close();
  });
}
