import { Table } from "../base/table.ts";
import type { Command } from "./command.ts";
import type { BackendConfig } from "./config.ts";
import type { Configured, Cordoned, Leased, Limited, Observed } from "./event.ts";
import { bucketsOf } from "../dispatch/quota.ts";
import { drainQueue } from "./admission.ts";
import { advanceBusy } from "../cost/busy-meter.ts";
import {
  capabilityOf,
  concurrencyResource,
  mayForget,
  newBackendState,
  type ObservedState,
  type State,
} from "./state.ts";

/** Takes a configuration, the first or a later one; backends that go away end their requests first. */
export function onConfigured(
  before: State | null,
  nowUs: number,
  io: { readonly event: Configured; readonly out: Command[] },
): State {
  const { config, seed } = io.event;
  const state: State = before ?? {
    config,
    seed,
    sites: new Map(),
    backends: new Map(),
    open: new Table(),
    queue: new Set(),
    unsettled: new Table(),
    unposted: new Set(),
    powerLimitWatts: new Map(),
    runs: new Table(),
    runsLimited: {},
  };
  state.config = config;
  state.seed = seed;
  // Sites are only added or replaced: a backend on its way out still needs its own.
  for (const site of config.sites) state.sites.set(site.id, site);
  for (const backend of state.backends.values()) backend.configured = false;
  for (const backend of config.backends) placeBackend(state, backend, { nowUs, out: io.out });
  for (const backend of state.backends.values()) {
    if (mayForget(state, backend)) state.backends.delete(backend.id);
  }
  return state;
}

function placeBackend(
  state: State,
  config: BackendConfig,
  io: { readonly nowUs: number; readonly out: Command[] },
): void {
  const existing = state.backends.get(config.id);
  const limit = config.maxConcurrent;
  if (existing === undefined) {
    state.backends.set(config.id, newBackendState(config, io.nowUs));
  } else {
    const discovered = existing.capability;
    // What was drawn until now was drawn at the old watts.
    advanceBusy(existing.meter, io.nowUs, existing.config.watts ?? 0);
    existing.config = config;
    existing.buckets = bucketsOf(config.quota, existing.buckets, io.nowUs);
    existing.configured = true;
    existing.capability = capabilityOf(config);
    if (config.models === null) existing.capability = { ...existing.capability, models: discovered.models };
    if (config.contextTokens === null) {
      existing.capability = { ...existing.capability, contextTokens: discovered.contextTokens };
    }
    if (limit === null) existing.capacity = null;
    // A lower limit holds at once; a higher one when its lease is granted.
    else existing.capacity = Math.min(existing.capacity ?? 0, limit);
  }
  if (limit !== null) io.out.push({ kind: "lease", resource: concurrencyResource(config.id), amount: limit });
}

/** A lease was granted: what is in flight may rise to it, but a grant asked for before the limit fell never lifts it. */
export function onLeased(state: State, nowUs: number, io: { readonly event: Leased; readonly out: Command[] }): void {
  for (const backend of state.backends.values()) {
    const limit = backend.config.maxConcurrent;
    if (limit !== null && concurrencyResource(backend.id) === io.event.resource) {
      backend.capacity = Math.min(io.event.amount, limit);
    }
  }
  drainQueue(state, nowUs, io.out);
}

/** A probe or supervisor saw a backend. */
export function onObserved(
  state: State,
  nowUs: number,
  io: { readonly event: Observed; readonly out: Command[] },
): void {
  const { event } = io;
  const backend = state.backends.get(event.backendId);
  if (backend === undefined) return;
  const wasUp = !backend.starting && !backend.down;
  backend.starting = event.state === "starting";
  backend.down = event.state === "down";
  if (event.models !== null) {
    backend.reportedModels = event.models;
    if (backend.config.models === null) {
      const models = Object.fromEntries(event.models.map((model) => [model, model]));
      backend.capability = { ...backend.capability, models };
    }
  }
  // An engine that speaks for itself and names no context has another one than before, which is unknown.
  const saysContext = event.contextTokens !== null || event.observation !== undefined;
  if (saysContext && backend.config.contextTokens === null) {
    backend.capability = { ...backend.capability, contextTokens: event.contextTokens };
  }
  backend.observed = observedAfter(backend.observed, nowUs, event);
  if (event.state === "up" && !wasUp) {
    backend.coolUntilUs = 0;
    backend.failuresInRow = 0;
  }
  // Even one that is down now may take what waits: it is tried when nothing else fits.
  drainQueue(state, nowUs, io.out);
}

/** An engine that is up and says nothing of itself is another one than that which did; of one that did not answer the last word is kept. */
function observedAfter(before: ObservedState | null, nowUs: number, event: Observed): ObservedState | null {
  const { observation } = event;
  if (observation !== undefined) return { observation, atUs: nowUs, stale: false };
  return event.state === "up" || before === null ? null : { ...before, stale: true };
}

/** A backend is cordoned, which ends nothing that it holds, or may be used again, by the oldest that wait for it first. */
export function onCordoned(
  state: State,
  nowUs: number,
  io: { readonly event: Cordoned; readonly out: Command[] },
): void {
  const backend = state.backends.get(io.event.backendId);
  if (backend === undefined) return;
  backend.cordoned = io.event.cordoned;
  if (!backend.cordoned) drainQueue(state, nowUs, io.out);
}

/** A limit from outside changed; it is kept for the offers that will heed it. */
export function onLimited(state: State, event: Limited): void {
  if (event.powerLimitWatts === null) state.powerLimitWatts.delete(event.site);
  else state.powerLimitWatts.set(event.site, event.powerLimitWatts);
}
