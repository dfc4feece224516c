import type { RequestId } from "../../src/base/ids.ts";
import type { Figure, Receipt } from "../../src/base/receipt.ts";

/** An exact figure of a receipt. */
function figure(value: number): Figure {
  return { value, method: "provider_reported", boundary: "request", low: value, high: value, final: true };
}

/** A plausible receipt of a completed request: ten tokens in, twenty out, thirty nano-dollars. */
export function receiptOf(receiptId: RequestId, tenant = "default"): Receipt {
  return {
    schemaVersion: 1,
    receiptId,
    revision: 0,
    arrivedWallMs: 1_700_000_000_000,
    principal: { tenant, project: null, user: null, key: null },
    class: "standard",
    endpoint: "chat",
    stream: true,
    model: "m",
    resolvedModel: "m",
    upstreamModel: "m",
    layer: "device",
    site: "here",
    backendId: "a",
    outcome: "completed",
    code: null,
    finishReason: "stop",
    tokens: {
      input: figure(10),
      cachedInput: figure(0),
      cacheWrite: figure(0),
      output: figure(20),
      reasoning: figure(0),
    },
    time: { queueUs: figure(1), ttftUs: figure(2), tpotUs: figure(3), e2eUs: figure(4) },
    costNanoUsd: figure(30),
    costLines: [],
    energyMilliJoules: figure(0),
    carbonMicrograms: figure(0),
    choice: { reason: "least_loaded", excluded: [] },
    attempts: [],
    runId: null,
    step: null,
    runLimits: null,
  };
}
