import assert from "node:assert/strict";
import { test } from "node:test";
import type { Figure, Receipt } from "../base/receipt.ts";
import { postingOf } from "./codec.ts";

function figure(value: number | null): Figure {
  const method = value === null ? "unknown" : "measured";
  return { value, method, boundary: "request", low: value, high: value, final: true };
}

function receiptOf(given: Partial<Receipt> = {}): Receipt {
  return {
    schemaVersion: 1,
    receiptId: "1",
    revision: 0,
    arrivedWallMs: 0,
    principal: { tenant: "acme", project: null, user: null, key: null },
    class: "c",
    endpoint: "chat",
    stream: false,
    model: "m",
    resolvedModel: "m",
    upstreamModel: "m",
    layer: null,
    site: "here",
    backendId: "b",
    outcome: "completed",
    code: null,
    finishReason: "stop",
    tokens: {
      input: figure(3),
      cachedInput: figure(1),
      cacheWrite: figure(1),
      output: figure(4),
      reasoning: figure(2),
    },
    time: { queueUs: figure(0), ttftUs: figure(1), tpotUs: figure(1), e2eUs: figure(5) },
    costNanoUsd: figure(10),
    costLines: [],
    energyMilliJoules: figure(20),
    carbonMicrograms: figure(30),
    choice: { reason: "least_loaded", excluded: [] },
    attempts: [],
    runId: null,
    step: null,
    runLimits: null,
    ...given,
  };
}

test("each figure of a settled receipt moves from the backend's accounts to the tenant's; parts of a figure do not", () => {
  assert.deepEqual(postingOf(receiptOf(), 7), {
    leafIndex: 7,
    requestId: "1",
    tenant: "acme",
    backend: "b",
    amounts: { inputTokens: 3, outputTokens: 4, costNanoUsd: 10, energyMilliJoules: 20, carbonMicrograms: 30 },
  });
  assert.equal(postingOf(receiptOf({ backendId: null }), 0).backend, "none");
});

test("what is unknown stays so, and zero stays zero", () => {
  const none = { costNanoUsd: figure(null), energyMilliJoules: figure(0), carbonMicrograms: figure(null) };
  const tokens = {
    input: figure(null),
    cachedInput: figure(null),
    cacheWrite: figure(null),
    output: figure(0),
    reasoning: figure(null),
  };
  assert.deepEqual(postingOf(receiptOf({ ...none, tokens }), 0).amounts, {
    inputTokens: null,
    outputTokens: 0,
    costNanoUsd: null,
    energyMilliJoules: 0,
    carbonMicrograms: null,
  });
});

test("a figure that is no whole amount is never posted", () => {
  for (const bad of [-1, 0.5, 2 ** 53]) {
    assert.throws(() => postingOf(receiptOf({ costNanoUsd: figure(bad) }), 0), /bad amount/);
  }
});
