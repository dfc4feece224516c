import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { Watch } from "../../src/ports/engine.ts";
import { until } from "../until.ts";
import { type Ask, type CaseName, type Checks, isSkip, send, type Subject } from "./subject.ts";

interface Stage {
  readonly on: CaseName;
  readonly title: string;
  readonly watch: Partial<Watch>;
  readonly code: ErrorCode;
  readonly stream?: boolean;
}

const STAGES: readonly Stage[] = [
  { on: "silent", title: "no headers in time", watch: { headersMs: 80 }, code: "upstream_headers_timeout" },
  {
    on: "silent",
    title: "no headers in time, whole",
    watch: { headersMs: 80 },
    code: "upstream_headers_timeout",
    stream: false,
  },
  { on: "headersOnly", title: "no content in time", watch: { firstMs: 80 }, code: "upstream_first_timeout" },
  {
    on: "headersOnly",
    title: "no whole answer in time",
    watch: { firstMs: 80 },
    code: "upstream_first_timeout",
    stream: false,
  },
  { on: "commentsOnly", title: "comments are no content", watch: { firstMs: 200 }, code: "upstream_first_timeout" },
  { on: "stalls", title: "silence after content", watch: { idleMs: 80 }, code: "upstream_idle_timeout" },
  { on: "endless", title: "an answer without end", watch: { totalMs: 150 }, code: "upstream_total_timeout" },
];

/** Each number of the watch expires with its own code and ends the attempt upstream. */
export function watchChecks({ options, subject, on }: Checks): void {
  for (const stage of STAGES) {
    const [name] = Object.keys(stage.watch);
    on(stage.on, `${name}: ${stage.title} fails as ${stage.code} and ends the attempt upstream`, (ask) =>
      expires(subject(), ask, stage),
    );
  }

  on("stalls", "what came before the silence is part of the failure", async (ask) => {
    const { sink } = send(subject().engine, ask, { watch: { idleMs: 80 } });
    const { made, status } = await sink.failure();
    assert.equal(status, 200);
    assert.ok(made.outputText.length > 0 && made.contentPieces > 1);
  });

  on("endless", "a flowing answer is not idle, however short the watch of silence", async (ask) => {
    const { sink, call } = send(subject().engine, ask, { watch: { idleMs: 400, firstMs: 5000 } });
    await sink.seen("first");
    await sleep(900);
    assert.equal(sink.count("failed"), 0);
    call.abort();
  });

  on(
    "endless",
    "an attempt that is given less time fails then as upstream_total_timeout, with what it made",
    async (ask) => {
      const { sink, call, order } = send(subject().engine, ask);
      await sink.seen("first");
      call.limit(100);
      call.limit(60_000);
      const { code, made } = await sink.failure();
      assert.equal(code, "upstream_total_timeout");
      assert.deepEqual(call.made(), made);
      assert.ok(made.outputText.length > 0);
      await until("the upstream is told", async () => !(await subject().isBusyUpstream(order.clientRequestId)));
    },
  );

  const { unconnectable } = options;
  if (isSkip(unconnectable)) {
    test("connectMs: a connection that never stands", { skip: unconnectable.skip }, () => {});
    return;
  }
  test("connectMs: a connection that never stands fails as upstream_connect_timeout", async () => {
    const apart = await unconnectable();
    const { sink } = send(apart.engine, { model: "any" }, { watch: { connectMs: 80 } });
    const failure = await sink.failure();
    assert.equal(failure.code, "upstream_connect_timeout");
    assert.equal(failure.status, null);
    await apart.close();
    assert.deepEqual(sink.kinds, ["failed"]);
  });
}

async function expires(subject: Subject, ask: Ask, stage: Stage): Promise<void> {
  const { sink, order } = send(subject.engine, ask, { watch: stage.watch, stream: stage.stream ?? true });
  const failure = await sink.failure();
  assert.equal(failure.code, stage.code);
  assert.equal(failure.relay, null);
  const heard = sink.calls.length;
  await until("the upstream has ended it", async () => !(await subject.isBusyUpstream(order.clientRequestId)));
  await sleep(20);
  assert.equal(sink.calls.length, heard);
}
