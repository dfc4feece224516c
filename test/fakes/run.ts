import { addToRun, newRunRecord } from "../../src/base/run-record.ts";
import { NO_RUN_LIMITS } from "../../src/base/run.ts";
import type { RunPage } from "../../src/ports/desk.ts";
import type { StoredReceipt } from "../../src/ports/store.ts";
import { receiptOf } from "./receipt.ts";

const LIMITS = {
  ...NO_RUN_LIMITS,
  maxSteps: 10,
  maxTokens: 1000,
  maxCostNanoUsd: 5000,
  maxWallMs: 60_000,
  maxSameCalls: 3,
};

/** A run with two steps that were answered, one of unknown energy, and a third in flight. */
export function runPageOf(runId: string): RunPage {
  const record = newRunRecord();
  const receipts = [1, 2].map((step): StoredReceipt => {
    const plain = receiptOf(`018bcfe5-6800-7000-8000-00000000000${step}`, "acme");
    const energy = { ...plain.energyMilliJoules, value: step === 1 ? 700 : null, high: step === 1 ? 700 : null };
    const receipt = { ...plain, runId, step, runLimits: LIMITS, energyMilliJoules: energy };
    addToRun(record, receipt);
    return { leafIndex: 10 + step, receipt };
  });
  record.steps = 3;
  const reserved = { tokens: 120, costNanoUsd: 200, energyMilliJoules: 700 };
  return { run: { record, inFlight: 1, reserved, limitedBy: null }, receipts, next: 12 };
}
