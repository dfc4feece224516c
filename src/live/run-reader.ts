import type { RunRecord } from "../base/run-record.ts";
import { runKey } from "../kernel/run-state.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { RunPage } from "../ports/desk.ts";
import type { PageOf, Store } from "../ports/store.ts";

/** Reads runs: how they stand from the kernel where it keeps them, the rest from the store. Owned by the utility. */
export class RunReader {
  readonly #kernel: Pick<Kernel, "run">;
  readonly #recalling = new Map<string, Promise<RunRecord | null>>();

  constructor(kernel: Pick<Kernel, "run">) {
    this.#kernel = kernel;
  }

  /**
   * What the store knows of a run. Calls that ask while one waits get the same answer at the same time: one that was read
   * earlier and told later would lack what happened between.
   */
  recall(store: Store, of: { readonly tenant: string; readonly runId: string }): Promise<RunRecord | null> {
    const key = runKey(of.tenant, of.runId);
    const waiting = this.#recalling.get(key);
    if (waiting !== undefined) return waiting;
    const read = store.recall(of.tenant, of.runId).finally(() => this.#recalling.delete(key));
    this.#recalling.set(key, read);
    return read;
  }

  /** A run of this tenant with a page of its receipts, or null when there is none. Rejects when the store cannot read. */
  async page(
    store: Store,
    of: { readonly tenant: string; readonly runId: string; readonly page: PageOf },
  ): Promise<RunPage | null> {
    const { tenant, runId, page } = of;
    const found = await store.runReceipts(tenant, runId, { ...page, limit: page.limit + 1 });
    const receipts = found.slice(0, page.limit);
    const next = found.length > page.limit ? (receipts.at(-1)?.leafIndex ?? null) : null;
    const kept = this.#kernel.run(tenant, runId);
    if (kept !== null) return { run: kept, receipts, next };
    const record = await store.recall(tenant, runId);
    if (record === null) return null;
    const reserved = { tokens: 0, costNanoUsd: 0, energyMilliJoules: 0 };
    return { run: { record, inFlight: 0, reserved, limitedBy: null }, receipts, next };
  }
}
