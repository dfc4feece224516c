import assert from "node:assert/strict";
import { test } from "node:test";
import type { Figure, Receipt } from "../base/receipt.ts";
import { entriesOf } from "./codec.ts";

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

test("each known figure moves from the backend's account to the tenant's, in its own unit; parts of a figure do not", () => {
  const entries = entriesOf(receiptOf());
  assert.deepEqual(
    entries.map(({ debit, credit, unit, amount }) => [debit, credit, unit, amount]),
    [
      ["tenant/acme/tokens/input", "backend/b/tokens/input", "token", 3],
      ["tenant/acme/tokens/output", "backend/b/tokens/output", "token", 4],
      ["tenant/acme/cost", "backend/b/cost", "nanousd", 10],
      ["tenant/acme/energy", "backend/b/energy", "millijoule", 20],
      ["tenant/acme/carbon", "backend/b/carbon", "microgram", 30],
    ],
  );
});

test("what is unknown or zero moves nothing", () => {
  const none = { costNanoUsd: figure(null), energyMilliJoules: figure(0), carbonMicrograms: figure(null) };
  const tokens = {
    input: figure(null),
    cachedInput: figure(null),
    cacheWrite: figure(null),
    output: figure(0),
    reasoning: figure(null),
  };
  assert.deepEqual(entriesOf(receiptOf({ ...none, tokens })), []);
});

test("a figure that is no whole amount is never posted", () => {
  for (const bad of [-1, 0.5, 2 ** 53]) {
    assert.throws(() => entriesOf(receiptOf({ costNanoUsd: figure(bad) })), /bad amount/);
  }
});
