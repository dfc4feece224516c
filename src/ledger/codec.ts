import { assert } from "../base/assert.ts";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";

/** What one receipt moves, each in its own unit. Null is unknown and moves nothing (it may be revised later); so does zero. */
export interface Amounts {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costNanoUsd: number | null;
  readonly energyMilliJoules: number | null;
  readonly carbonMicrograms: number | null;
}

/**
 * The double entry of one settled receipt: each amount moves from the backend's account of its kind to the tenant's. Its leaf
 * index makes posting idempotent.
 */
export interface Posting {
  readonly leafIndex: number;
  readonly requestId: RequestId;
  /** Whose accounts are debited. */
  readonly tenant: string;
  /** Whose accounts are credited; `none` where the request was never sent. */
  readonly backend: string;
  readonly amounts: Amounts;
}

/** The posting of a receipt that is settled as this leaf: what the tenant used, taken from the backend that made it. */
export function postingOf(receipt: Receipt, leafIndex: number): Posting {
  const { tokens, costNanoUsd, energyMilliJoules, carbonMicrograms } = receipt;
  return {
    leafIndex,
    requestId: receipt.receiptId,
    tenant: receipt.principal.tenant,
    backend: receipt.backendId ?? "none",
    amounts: {
      inputTokens: amount("input tokens", tokens.input.value),
      outputTokens: amount("output tokens", tokens.output.value),
      costNanoUsd: amount("cost", costNanoUsd.value),
      energyMilliJoules: amount("energy", energyMilliJoules.value),
      carbonMicrograms: amount("carbon", carbonMicrograms.value),
    },
  };
}

function amount(name: string, value: number | null): number | null {
  if (value !== null) assert(Number.isSafeInteger(value) && value >= 0, `posting ${name}: bad amount ${value}`);
  return value;
}
