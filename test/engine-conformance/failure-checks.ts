import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { EngineFailure } from "../../src/ports/engine.ts";
import { readStream } from "./reading.ts";
import { type Checks, type FailureName, isSkip, send } from "./subject.ts";

interface Expected {
  readonly on: FailureName;
  readonly code: ErrorCode;
  readonly status: number | null;
  /** How it was asked; both unless said. */
  readonly only?: "stream" | "whole";
  /** Whether content came before. */
  readonly afterContent?: boolean;
}

const FAILURES: readonly Expected[] = [
  { on: "failsBeforeHeaders", code: "upstream_broken", status: null },
  { on: "failsBeforeContent", code: "upstream_broken", status: 200 },
  { on: "failsMidStream", code: "upstream_broken", status: 200, only: "stream", afterContent: true },
  { on: "failsMidStream", code: "upstream_broken", status: 200, only: "whole" },
  { on: "failsByEndingEarly", code: "upstream_broken", status: 200, only: "stream", afterContent: true },
  // Half of a whole answer is no JSON, and nothing else tells that it is a half.
  { on: "failsByEndingEarly", code: "upstream_bad_response", status: 200, only: "whole" },
  { on: "failsByEndingEmpty", code: "upstream_broken", status: 200, only: "stream" },
  { on: "failsByEndingEmpty", code: "upstream_bad_response", status: 200, only: "whole" },
  { on: "failsByErrorEvent", code: "upstream_error", status: 200, only: "stream", afterContent: true },
  { on: "failsByErrorEventFirst", code: "upstream_error", status: 200, only: "stream" },
  { on: "failsByNotJson", code: "upstream_bad_response", status: 200 },
  { on: "failsByHtml", code: "upstream_bad_response", status: 200 },
  { on: "failsByErrorWithStatus200", code: "upstream_bad_response", status: 200 },
  { on: "failsWith401", code: "upstream_unauthorized", status: 401 },
  { on: "failsWith400", code: "upstream_error", status: 400 },
  { on: "failsWith429Seconds", code: "upstream_error", status: 429 },
  { on: "failsWith429Date", code: "upstream_error", status: 429 },
  { on: "failsWith500", code: "upstream_error", status: 500 },
];

/** Errors inside a stream. */
const EVENTS: ReadonlySet<FailureName> = new Set(["failsByErrorEvent", "failsByErrorEventFirst"]);

/** Every way in which an upstream fails, and what is said of it. */
export function failureChecks(checks: Checks): void {
  const { subject, on, options } = checks;
  for (const expected of FAILURES) {
    const shapes = expected.only === undefined ? ["stream", "whole"] : [expected.only];
    for (const shape of shapes) {
      on(expected.on, `${expected.on}, ${shape}: is ${expected.code}`, async (ask) => {
        const { sink } = send(subject().engine, ask, { stream: shape === "stream" });
        const failure = await sink.failure();
        const isEvent = EVENTS.has(expected.on);
        const status = isEvent ? (options.errorEventStatus ?? expected.status) : expected.status;
        assert.deepEqual([failure.code, failure.status], [expected.code, status], failure.detail);
        if (isEvent) assertTold(failure);
        assert.equal(sink.count("first"), expected.afterContent === true ? 1 : 0);
        assert.equal(sink.count("finished"), 0);
        const read = shape === "stream" ? readStream(sink.output) : null;
        assert.equal(read?.dones ?? 0, 0, "a failed stream has no [DONE]");
        assert.equal(failure.made.outputText, read?.text ?? "", "what was made is what was sent");
        assertNothingLeaks(failure);
      });
    }
  }
  relayChecks(checks);

  test("an upstream that is not there is unreachable", async () => {
    const engine = options.unreachable();
    const failure = await send(engine, { model: "any" }).sink.failure();
    assert.equal(failure.code, "upstream_unreachable");
    assert.equal(failure.status, null);
    assert.equal(failure.relay, null);
    await engine.close();
  });

  const { limited } = options;
  if (isSkip(limited)) {
    test("a whole answer over the limit", { skip: limited.skip }, () => {});
    return;
  }
  on("complete", "a whole answer over the limit is upstream_too_large, and one within it is not", async (ask) => {
    const small = await limited(64);
    const { sink } = send(small.engine, ask, { stream: false });
    assert.equal((await sink.failure()).code, "upstream_too_large");
    assert.equal(sink.count("bytes"), 0);
    await send(small.engine, ask).sink.success();
    await small.close();
  });
}

/** What an upstream's own error answer passes on. */
function relayChecks({ subject, on }: Checks): void {
  const failureOf = async (ask: { readonly model: string }): Promise<EngineFailure> =>
    send(subject().engine, ask).sink.failure();

  on("failsWith400", "an error's own body is kept for the client", async (ask) => {
    const { relay, retryAfterMs } = await failureOf(ask);
    assert.equal(relay?.status, 400);
    assert.ok("error" in (JSON.parse(relay.body.toString()) as object));
    assert.equal(retryAfterMs, null);
  });

  on("failsWith429Seconds", "retry-after in seconds is read, and it and the rate limits are kept", async (ask) => {
    const { relay, retryAfterMs } = await failureOf(ask);
    assert.equal(retryAfterMs, 7000);
    assert.equal(relay?.headers["retry-after"], "7");
    assert.equal(relay.headers["x-ratelimit-remaining-requests"], "0");
    const foreign = Object.keys(relay.headers).filter((name) => !/^(?:retry-after|x-ratelimit-.*)$/.test(name));
    assert.deepEqual(foreign, []);
  });

  on("failsWith429Date", "retry-after as an HTTP date is read", async (ask) => {
    const { retryAfterMs } = await failureOf(ask);
    // The date has whole seconds, and some time has passed since it was written.
    assert.ok(retryAfterMs !== null && retryAfterMs > 0 && retryAfterMs <= 7000, String(retryAfterMs));
  });
}

/** What an error event says is told to the client in its own words, and one that names its status is passed on with it. */
function assertTold({ told, relay, status }: EngineFailure): void {
  assert.match(told ?? "", /^mock: /);
  assert.ok((told ?? "").length <= 501);
  assert.equal(relay?.status ?? 200, status);
  if (relay === null) return;
  const { error } = JSON.parse(relay.body.toString()) as { readonly error: { readonly message: string } };
  assert.equal(error.message, told);
}

/** The detail is for the log, where no body may stand. */
function assertNothingLeaks(failure: EngineFailure): void {
  assert.ok(failure.detail.length > 0 && failure.detail.length < 200, failure.detail);
  assert.ok(!/Hello|mock:|<html|<!doctype/i.test(failure.detail), failure.detail);
}
