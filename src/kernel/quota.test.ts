import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "../base/job.ts";
import type { Quota } from "../dispatch/quota.ts";
import { backendOf, configOf, Driver, reported } from "../sim/driver.ts";
import type { Command } from "./command.ts";
import { Kernel } from "./kernel.ts";

const NONE: Quota = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  requestsPerDay: null,
  tokensPerDay: null,
  assumedOutputTokens: 90,
};

/** `1→a` for a send, `1 code` for a refusal with its retry-after, `1@us` for a wake. */
function said(commands: readonly Command[]): readonly string[] {
  return commands.flatMap((command) => {
    if (command.kind === "send") return [`${command.requestId}→${command.backendId}`];
    if (command.kind === "wake") return [`${command.requestId}@${command.atUs}`];
    if (command.kind !== "answer" || command.result.ok) return [];
    return [`${command.requestId} ${command.result.code} ${command.result.retryAfterMs}`];
  });
}

const grants = (id: string, quota: Partial<Quota>): ReturnType<typeof backendOf> =>
  backendOf(id, { maxConcurrent: null, quota: { ...NONE, ...quota } });

/** Ten tokens of prompt and ninety of answer, unless told. */
const TEN: Partial<Job> = { promptTextLength: 40 };

const woke = (driver: Driver, requestId: string, atUs: number): readonly string[] => {
  driver.nowUs = atUs;
  return said(driver.step({ kind: "woke", requestId, attempt: 0 }));
};

test("a backend whose quota is spent is passed over while another fits, and the receipt says so", () => {
  const driver = new Driver(configOf([grants("a", { requestsPerMinute: 1 }), backendOf("b", { maxConcurrent: null })]));
  assert.deepEqual(said(driver.arrive("1")), ["1→a"]);
  driver.finish("1");
  assert.deepEqual(said(driver.arrive("2")), ["2→b"]);
  driver.finish("2");
  assert.deepEqual(driver.receipts.get("2")?.choice.excluded, [{ backendId: "a", reason: "quota_spent" }]);
});

test("a request waits for its quota until it refills, if that is before its deadline", () => {
  const driver = new Driver(configOf([grants("a", { requestsPerMinute: 120 })]));
  for (let count = 0; count < 120; count += 1) driver.arrive(`x${count}`);
  assert.deepEqual(said(driver.arrive("1")), ["1@500000"]);
  assert.deepEqual(woke(driver, "1", 499_999), []);
  assert.deepEqual(woke(driver, "1", 500_000), ["1→a"]);
});

test("one that would wait past its deadline is told at once when it may come again", () => {
  const driver = new Driver(configOf([grants("a", { requestsPerMinute: 2, requestsPerDay: 100 })]));
  driver.arrive("1");
  driver.arrive("2");
  driver.nowUs = 1_000_000;
  assert.deepEqual(said(driver.arrive("3")), ["3 quota_exceeded 29000"]);
  driver.nowUs = 30_000_000;
  assert.deepEqual(said(driver.arrive("4")), ["4→a"]);
});

test("tokens are set aside at the send and settled at the end, by what was used", () => {
  const driver = new Driver(configOf([grants("a", { tokensPerMinute: 200 })]));
  assert.deepEqual(said(driver.arrive("1", TEN)), ["1→a"]);
  assert.deepEqual(said(driver.arrive("2", { ...TEN, maxOutputTokens: 91 })), ["2@300000"]);
  assert.deepEqual(said(driver.finish("1", reported(10, 40))), ["2→a"], "what was not used is there for others");
  driver.nowUs = 1_000;
  assert.deepEqual(said(driver.finish("2", reported(10, 140))), []);
  assert.deepEqual(said(driver.arrive("3", TEN)), ["3 quota_exceeded 29999"], "what was used besides is owed");
});

test("an attempt that never reached the provider costs no tokens, one of which nothing is known costs what was set aside", () => {
  for (const [code, expected] of [
    ["upstream_unreachable", ["2→a"]],
    ["upstream_broken", ["2 quota_exceeded 30000"]],
  ] as const) {
    const driver = new Driver(configOf([grants("a", { tokensPerMinute: 200 })]));
    driver.arrive("1", { ...TEN, maxOutputTokens: 190 });
    driver.fail("1", { code });
    assert.deepEqual(said(driver.arrive("2", TEN)), expected);
  }
});

test("who came first goes first, though a smaller request would fit; whom the queue cannot help does not stand in the way", () => {
  const driver = new Driver(configOf([grants("a", { tokensPerMinute: 600 })]));
  driver.arrive("1", { ...TEN, maxOutputTokens: 580 });
  assert.deepEqual(said(driver.arrive("large", { ...TEN, maxOutputTokens: 500 })), ["large quota_exceeded 50000"]);
  assert.deepEqual(said(driver.arrive("2", { promptTextLength: 40, maxOutputTokens: 5 })), ["2@500000"]);
  assert.deepEqual(said(driver.arrive("3", { promptTextLength: 4, maxOutputTokens: 1 })), ["3@500000"]);
  driver.nowUs = 200_000;
  const seen = { kind: "observed", backendId: "a", state: "up", models: null, contextTokens: null } as const;
  assert.deepEqual(said(driver.step(seen)), [], "the last would fit into what is there, and waits");
  assert.deepEqual(woke(driver, "2", 500_000), ["2→a"]);
  assert.deepEqual(woke(driver, "3", 500_000), ["3@700000"]);
  assert.deepEqual(woke(driver, "3", 700_000), ["3→a"]);
});

test("one that can be served in time no more is told so at once, and those behind it go", () => {
  const driver = new Driver(configOf([grants("a", { tokensPerMinute: 600 })]));
  driver.arrive("1", { promptTextLength: 0, maxOutputTokens: 600 });
  assert.deepEqual(said(driver.arrive("2", { promptTextLength: 0, maxOutputTokens: 9 })), ["2@900000"]);
  driver.nowUs = 100_000;
  assert.deepEqual(said(driver.arrive("3", { promptTextLength: 0, maxOutputTokens: 1 })), ["3@900000"]);
  driver.nowUs = 800_000;
  // What was used besides puts the first off past its deadline.
  assert.deepEqual(said(driver.finish("1", reported(0, 604))), ["2 quota_exceeded 500", "3→a"]);
});

test("one that waited for another backend is told at its deadline when its quota would let it go", () => {
  const driver = new Driver(configOf([grants("a", { requestsPerMinute: 1 }), backendOf("b")]));
  driver.arrive("1");
  driver.step({ kind: "cordoned", backendId: "b", cordoned: true });
  assert.deepEqual(said(driver.arrive("2")), ["2@1000000"]);
  assert.deepEqual(woke(driver, "2", 1_000_000), ["2 quota_exceeded 59000"]);
});

test("what is left of a quota outlives a snapshot and a new configuration, within the new limit", () => {
  const config = configOf([grants("a", { requestsPerMinute: 2 })]);
  const driver = new Driver(config);
  driver.arrive("1");
  driver.configure(config);
  const twin = Kernel.restore(driver.kernel.snapshot());
  driver.arrive("2");
  assert.deepEqual(said(driver.arrive("3")), ["3 quota_exceeded 30000"]);
  assert.equal(twin.snapshot().backends[0]?.buckets[0]?.level, 1);
  driver.configure(configOf([grants("a", {})]));
  assert.deepEqual(said(driver.arrive("4")), ["4→a"]);
});

test("a request that failed elsewhere waits for a quota that refills in time, and else has its failure", () => {
  for (const [requestsPerMinute, expected] of [
    [120, ["1@500000"]],
    [2, ["1 upstream_broken null"]],
  ] as const) {
    const driver = new Driver(configOf([backendOf("a"), grants("b", { requestsPerMinute })]));
    driver.arrive("1");
    for (let count = 0; count < requestsPerMinute; count += 1) driver.arrive(`x${count}`);
    assert.deepEqual(said(driver.fail("1")), expected);
  }
});

test("nothing is set aside for the answer of embeddings", () => {
  const driver = new Driver(configOf([grants("a", { tokensPerMinute: 600 })]));
  driver.configure(configOf([{ ...grants("a", { tokensPerMinute: 600 }), endpoints: ["embeddings"] }]));
  driver.arrive("1", { endpoint: "embeddings", promptTextLength: 400 });
  assert.equal(driver.kernel.snapshot().backends[0]?.buckets[0]?.level, 500);
});
