import assert from "node:assert/strict";
import { test } from "node:test";
import { UNKNOWN_USAGE } from "../base/job.ts";
import { backendOf, configOf, Driver, reported } from "../sim/driver.ts";
import type { Command } from "./command.ts";

const kinds = (commands: readonly Command[]): string => commands.map((command) => command.kind).join(" ");
const two = (): Driver => new Driver(configOf([backendOf("a"), backendOf("b")]));

test("headers go out at the first content, once, and a late event of another attempt changes nothing", () => {
  const driver = two();
  driver.arrive("1");
  assert.equal(kinds(driver.first("1")), "commit");
  assert.equal(kinds(driver.first("1")), "");
  assert.equal(kinds(driver.finish("1", UNKNOWN_USAGE, 2)), "");
  assert.equal(kinds(driver.finish("1")), "answer append");
  assert.equal(kinds(driver.finish("1")), "");
  assert.equal(kinds(driver.fail("1")), "");
});

test("an answer that ends without a first is committed at its end", () => {
  const driver = two();
  driver.arrive("1", { stream: false });
  assert.equal(kinds(driver.finish("1")), "commit answer append");
});

test("before content another backend is tried, each once, and the last failure is the answer", () => {
  const driver = two();
  driver.arrive("1");
  const [again] = driver.fail("1");
  assert.ok(again?.kind === "send");
  assert.deepEqual([again.backendId, again.attempt], ["b", 2]);
  assert.equal(kinds(driver.fail("1")), "", "the first attempt's failure comes twice");
  const [answer] = driver.fail("1", { attempt: 2, code: "upstream_error", status: 503, retryAfterMs: 700 });
  assert.ok(answer?.kind === "answer" && !answer.result.ok);
  assert.deepEqual(
    [answer.result.code, answer.result.relay, answer.result.retryAfterMs],
    ["upstream_error", true, 700],
  );
  const receipt = driver.receipts.get("1");
  assert.deepEqual(
    receipt?.attempts.map((each) => [each.attempt, each.backendId, each.result, each.status]),
    [
      [1, "a", "upstream_broken", null],
      [2, "b", "upstream_error", 503],
    ],
  );
  assert.equal(receipt?.choice.reason, "fallback");
});

test("after content nothing is retried: the answer ends with an error and the receipt shows what was made", () => {
  const driver = two();
  driver.arrive("1");
  driver.first("1");
  assert.equal(kinds(driver.fail("1", { usage: reported(5, 7) })), "answer append");
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.outcome, receipt?.code, receipt?.tokens.output.value], ["failed", "upstream_broken", 7]);
});

test("the caller's own fault is not tried elsewhere, and does not cool the backend", () => {
  const driver = two();
  driver.arrive("1");
  assert.equal(kinds(driver.fail("1", { code: "upstream_error", status: 400 })), "answer append");
  assert.equal(driver.kernel.backends()[0]?.state, "up");
});

test("attempts are at most as many as configured", () => {
  const limits = { maxQueued: 9, queueTimeoutMs: 1_000, maxAttempts: 2, maxUnsettled: 9 };
  const driver = new Driver(
    configOf(
      ["a", "b", "c"].map((id) => backendOf(id)),
      { limits },
    ),
  );
  driver.arrive("1");
  assert.equal(kinds(driver.fail("1")), "send");
  assert.equal(kinds(driver.fail("1", { attempt: 2 })), "answer append");
});

test("a backend that fails cools down, longer each time, is passed over while another fits, and is tried when none does", () => {
  const driver = two();
  const stateOfA = (): string | undefined => driver.kernel.backends()[0]?.state;
  driver.arrive("1");
  driver.fail("1");
  assert.equal(stateOfA(), "cooling");
  // b holds the fallback, a cools: a is tried all the same.
  const [send] = driver.arrive("2");
  assert.ok(send?.kind === "send" && send.backendId === "a");
  driver.fail("2");
  driver.finish("1", UNKNOWN_USAGE, 2);
  driver.nowUs = 1_500_000;
  driver.step({ kind: "progress", requestId: "none", attempt: 1, outputTokens: 1 });
  assert.equal(stateOfA(), "cooling", "two failures in a row cool for two seconds");
  driver.nowUs = 2_000_000;
  driver.step({ kind: "progress", requestId: "none", attempt: 1, outputTokens: 1 });
  assert.equal(stateOfA(), "up");
});

test("a backend's own retry-after sets its cool-down, and being seen up after down ends it", () => {
  const driver = two();
  driver.arrive("1");
  driver.fail("1", { code: "upstream_error", status: 429, retryAfterMs: 5_000 });
  driver.nowUs = 4_999_999;
  driver.step({ kind: "limited", site: "here", powerLimitWatts: null });
  assert.equal(driver.kernel.backends()[0]?.state, "cooling");
  const observed = { kind: "observed", backendId: "a", models: null, contextTokens: null } as const;
  driver.step({ ...observed, state: "down" });
  driver.step({ ...observed, state: "up" });
  assert.equal(driver.kernel.backends()[0]?.state, "up");
});

test("a client that leaves ends its request in each phase, and its place goes to the next", () => {
  const driver = new Driver(configOf([backendOf("a")]));
  driver.arrive("streaming");
  driver.first("streaming");
  driver.arrive("queued");
  driver.arrive("next");
  assert.equal(kinds(driver.cancel("queued", 0)), "append");
  assert.equal(kinds(driver.cancel("streaming", 1, reported(3, 2))), "abort append send");
  assert.equal(kinds(driver.cancel("next", 1)), "abort append");
  assert.equal(kinds(driver.cancel("next", 1)), "");
  assert.equal(driver.receipts.get("streaming")?.tokens.output.value, 2);
  assert.deepEqual(
    [...driver.receipts.values()].map(({ outcome }) => outcome),
    Array(3).fill("cancelled"),
  );
  assert.deepEqual(driver.kernel.counts(), { open: 0, queued: 0, unsettled: 3 });
});

test("a server that stops tells the client so", () => {
  const driver = two();
  driver.arrive("1");
  const stop = { kind: "cancelled", requestId: "1", attempt: 1, code: "shutting_down", usage: UNKNOWN_USAGE } as const;
  assert.equal(kinds(driver.step(stop)), "abort answer append");
});

test("a receipt is posted once it is durable, by its leaf index, and forgotten when the posting is", () => {
  const driver = new Driver(configOf([backendOf("a", { maxConcurrent: null })]));
  for (const id of ["1", "2"]) {
    driver.arrive(id);
    driver.finish(id, reported(1, 2));
  }
  const posts = driver.step({ kind: "appended", firstLeafIndex: 7, requestIds: ["2", "1"] });
  assert.deepEqual(
    posts.map((post) => post.kind === "post" && [post.requestId, post.posting.leafIndex]),
    [
      ["2", 7],
      ["1", 8],
    ],
  );
  assert.throws(() => driver.step({ kind: "appended", firstLeafIndex: 9, requestIds: ["1"] }), /was not waiting/);
  driver.step({ kind: "stored", requestIds: ["1", "2"] });
  assert.throws(() => driver.step({ kind: "stored", requestIds: ["1"] }), /was not waiting/);
});

test("where the backend drains, an attempt whose client left runs on unanswered, and its true usage is on the receipt", () => {
  const driver = new Driver(configOf([backendOf("a", { drainMs: 700 })]));
  driver.arrive("1");
  const limited = driver.cancel("1", 1, reported(3, 1));
  assert.deepEqual(limited, [{ kind: "abort", requestId: "1", attempt: 1, withinMs: 700 }]);
  assert.equal(kinds(driver.arrive("2")), "wake", "its slot is still taken");
  assert.equal(kinds(driver.first("1")), "", "there is nobody to commit to");
  assert.equal(kinds(driver.finish("1", reported(3, 9))), "append send");
  const receipt = driver.receipts.get("1");
  assert.deepEqual([receipt?.outcome, receipt?.code, receipt?.tokens.output.value], ["cancelled", "client_gone", 9]);
  assert.equal(receipt?.attempts[0]?.result, "completed");
});

test("a draining attempt that fails is not tried elsewhere, and one that the stop finds is ended without an answer", () => {
  const driver = new Driver(configOf([backendOf("a", { drainMs: 700 }), backendOf("b", { drainMs: 700 })]));
  driver.arrive("1");
  driver.cancel("1", 1);
  assert.equal(kinds(driver.fail("1", { code: "upstream_total_timeout" })), "append");
  assert.equal(driver.receipts.get("1")?.attempts[0]?.result, "upstream_total_timeout");
  driver.arrive("2");
  driver.cancel("2", 1);
  const stop = { kind: "cancelled", requestId: "2", attempt: 1, code: "shutting_down", usage: UNKNOWN_USAGE } as const;
  assert.equal(kinds(driver.step(stop)), "abort append");
  assert.equal(driver.receipts.get("2")?.code, "client_gone");
});
