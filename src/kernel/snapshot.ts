import type { RequestId } from "../base/ids.ts";
import type { Receipt } from "../base/receipt.ts";
import { Table } from "../base/table.ts";
import type { KernelConfig, SiteConfig } from "./config.ts";
import { runKey, type RunState } from "./run-state.ts";
import type { BackendState, OpenRequest, State } from "./state.ts";

/** The kernel's whole state as plain JSON data, in iteration order, which decides ties and so belongs to the state. */
export interface Snapshot {
  readonly nowUs: number;
  readonly config: KernelConfig;
  readonly seed: string;
  readonly sites: readonly SiteConfig[];
  readonly backends: readonly BackendState[];
  readonly open: readonly OpenRequest[];
  readonly queue: readonly RequestId[];
  readonly unsettled: readonly Receipt[];
  readonly unposted: readonly RequestId[];
  readonly powerLimitWatts: readonly (readonly [string, number])[];
  readonly runs: readonly RunState[];
  readonly runsLimited: State["runsLimited"];
}

/** A deep copy of the state as data. */
export function toSnapshot(state: State, nowUs: number): Snapshot {
  const view: Snapshot = {
    nowUs,
    config: state.config,
    seed: state.seed,
    sites: [...state.sites.values()],
    backends: [...state.backends.values()],
    open: [...state.open.values()],
    queue: [...state.queue],
    unsettled: [...state.unsettled.values()],
    unposted: [...state.unposted],
    powerLimitWatts: [...state.powerLimitWatts],
    runs: [...state.runs.values()],
    runsLimited: state.runsLimited,
  };
  return JSON.parse(JSON.stringify(view)) as Snapshot;
}

/** The state that a snapshot holds; the snapshot is not changed by what follows. */
export function fromSnapshot(snapshot: Snapshot): State {
  const copy = JSON.parse(JSON.stringify(snapshot)) as Snapshot;
  return {
    config: copy.config,
    seed: copy.seed,
    sites: new Map(copy.sites.map((site) => [site.id, site])),
    backends: new Map(copy.backends.map((backend) => [backend.id, backend])),
    open: tableOf(copy.open, (request) => request.job.requestId),
    queue: new Set(copy.queue),
    unsettled: tableOf(copy.unsettled, (receipt) => receipt.receiptId),
    unposted: new Set(copy.unposted),
    powerLimitWatts: new Map(copy.powerLimitWatts),
    runs: tableOf(copy.runs, ({ tenant, runId }) => runKey(tenant, runId)),
    runsLimited: copy.runsLimited,
  };
}

function tableOf<V extends object>(values: readonly V[], keyOf: (value: V) => string): Table<V> {
  const table = new Table<V>();
  for (const value of values) table.set(keyOf(value), value);
  return table;
}
