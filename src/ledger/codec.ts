import { assert } from "../base/assert.ts";
import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";

/** What an account counts. */
export type Unit = "token" | "nanousd" | "millijoule" | "microgram";

/** `amount` of `unit` moves from the account `credit` to the account `debit`. */
export interface Entry {
  readonly debit: string;
  readonly credit: string;
  readonly unit: Unit;
  readonly amount: number;
}

/** The double entry of one settled receipt; its leaf index makes posting idempotent. */
export interface Posting {
  readonly leafIndex: number;
  readonly requestId: RequestId;
  readonly entries: readonly Entry[];
}

/**
 * The entries of a receipt: what the tenant used, taken from the backend that made it. Unknown figures post nothing (they
 * may be revised later); zeros post nothing because they move nothing.
 */
export function entriesOf(receipt: Receipt): readonly Entry[] {
  const debit = `tenant/${receipt.principal.tenant}`;
  const credit = `backend/${receipt.backendId ?? "none"}`;
  const entries: Entry[] = [];
  const add = (name: string, unit: Unit, amount: number | null): void => {
    if (amount === null || amount === 0) return;
    assert(Number.isSafeInteger(amount) && amount > 0, `posting ${name}: bad amount ${amount}`);
    entries.push({ debit: `${debit}/${name}`, credit: `${credit}/${name}`, unit, amount });
  };
  add("tokens/input", "token", receipt.tokens.input.value);
  add("tokens/output", "token", receipt.tokens.output.value);
  add("cost", "nanousd", receipt.costNanoUsd.value);
  add("energy", "millijoule", receipt.energyMilliJoules.value);
  add("carbon", "microgram", receipt.carbonMicrograms.value);
  return entries;
}
