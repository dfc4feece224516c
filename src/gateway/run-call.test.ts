import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NO_RUN_LIMITS } from "../base/run.ts";
import { runCallOf } from "./run-call.ts";

const CHAT = { model: "m", messages: [{ role: "user", content: "Hi" }] };

function problemOf(headers: Record<string, string>, body: unknown = CHAT): string {
  const found = runCallOf(headers, body, "chat");
  return found !== null && "param" in found ? found.param : assert.fail(`taken: ${JSON.stringify(found)}`);
}

function callOf(headers: Record<string, string>, body: unknown = CHAT) {
  const found = runCallOf(headers, body, "chat");
  return found === null || "param" in found ? assert.fail(`not taken: ${JSON.stringify(found)}`) : found;
}

describe("what a call says of its run", () => {
  test("is nothing where it names none, whatever else its metadata holds", () => {
    for (const metadata of [undefined, null, {}, { user: "ada" }, "text", 7])
      assert.equal(runCallOf({}, { ...CHAT, metadata }, "chat"), null);
  });

  test("comes from the header, else from the metadata", () => {
    const body = { ...CHAT, metadata: { run_id: "from-body" } };
    assert.equal(callOf({}, body).runId, "from-body");
    assert.equal(callOf({ "x-baseload-run": "from-header" }, body).runId, "from-header");
  });

  test("is refused with the name of what is wrong", () => {
    for (const id of ["", "two words", "ä", "x".repeat(129), "tab\there"])
      assert.equal(problemOf({ "x-baseload-run": id }), "x-baseload-run", id);
    for (const id of ["", "two words", 7, null, { a: 1 }])
      assert.equal(problemOf({}, { ...CHAT, metadata: { run_id: id } }), "metadata.run_id", String(id));
    assert.equal(callOf({ "x-baseload-run": "!~".repeat(64) }).runId.length, 128);
  });

  test("holds limits in the units that are counted in", () => {
    const { limits } = callOf({
      "x-baseload-run": "r",
      "x-baseload-run-max-steps": "10",
      "x-baseload-run-max-tokens": "5000",
      "x-baseload-run-max-usd": "0.25",
      "x-baseload-run-max-joules": "1.5",
      "x-baseload-run-max-seconds": "90",
      "x-baseload-run-max-same-calls": "2",
    });
    assert.deepEqual(limits, {
      maxSteps: 10,
      maxTokens: 5000,
      maxCostNanoUsd: 250_000_000,
      maxEnergyMilliJoules: 1500,
      maxWallMs: 90_000,
      maxSameCalls: 2,
    });
    assert.deepEqual(callOf({ "x-baseload-run": "r" }).limits, NO_RUN_LIMITS);
  });

  test("is refused where a limit is no number above 0, or limits no run", () => {
    for (const text of ["", "0", "-1", "1.5", "ten", "1e99", "1,000"])
      assert.equal(problemOf({ "x-baseload-run": "r", "x-baseload-run-max-steps": text }), "x-baseload-run-max-steps");
    for (const text of ["0", "$1", "0.0000000001"])
      assert.equal(problemOf({ "x-baseload-run": "r", "x-baseload-run-max-usd": text }), "x-baseload-run-max-usd");
    assert.equal(problemOf({ "x-baseload-run-max-usd": "1" }), "x-baseload-run-max-usd");
  });

  test("has no loop to look for in embeddings, which are the same each time", () => {
    const found = runCallOf({ "x-baseload-run": "r" }, { model: "m", input: "text" }, "embeddings");
    assert.ok(found !== null && "callHash" in found);
    assert.equal(found.callHash, null);
  });

  test("counts the answers that are asked for at once", () => {
    const named = { "x-baseload-run": "r" };
    assert.equal(callOf(named).choices, 1);
    assert.equal(callOf(named, { ...CHAT, n: 4 }).choices, 4);
    assert.equal(callOf(named, { model: "m", prompt: "Hi", n: 2, best_of: 5 }).choices, 5);
    assert.equal(callOf(named, { model: "m", prompt: ["a", "b", "c"], n: 2 }).choices, 6);
    assert.equal(callOf(named, { model: "m", prompt: [[1, 2], [3]] }).choices, 2);
    assert.equal(callOf(named, { model: "m", prompt: [1, 2, 3] }).choices, 1);
    for (const n of [null, 0, -3, 1.5, "many"]) assert.equal(callOf(named, { ...CHAT, n }).choices, 1);
  });

  test("is the same call when model and messages are the same, and no other", () => {
    const named = { "x-baseload-run": "r" };
    const hash = (body: unknown): string => callOf(named, body).callHash ?? assert.fail("no hash");
    assert.match(hash(CHAT), /^[0-9a-f]{16}$/);
    assert.equal(hash({ temperature: 1, ...CHAT, stream: true }), hash(CHAT));
    assert.notEqual(hash({ ...CHAT, model: "other" }), hash(CHAT));
    assert.notEqual(hash({ ...CHAT, messages: [...CHAT.messages, ...CHAT.messages] }), hash(CHAT));
    assert.notEqual(hash({ model: "m", prompt: "a" }), hash({ model: "m", prompt: "b" }));
    const next = { model: "m", input: "go on" };
    assert.notEqual(hash({ ...next, previous_response_id: "a" }), hash({ ...next, previous_response_id: "b" }));
    assert.notEqual(hash({ ...next, instructions: "a" }), hash({ ...next, instructions: "b" }));
    assert.equal(hash({ ...next, temperature: 1 }), hash(next));
  });
});
