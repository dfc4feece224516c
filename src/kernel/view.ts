import type { EngineObservation } from "../base/engine-observation.ts";
import type { BackendId } from "../base/ids.ts";
import type { Endpoint, Layer } from "../base/job.ts";
import { type Caller, mayUse, rulesOf } from "../policy/access.ts";
import { upstreamModelOf } from "../policy/eligible.ts";
import type { ObservedState, State } from "./state.ts";

/** One backend and its load. */
export interface BackendView {
  readonly backendId: BackendId;
  readonly site: string;
  readonly layer: Layer | null;
  readonly state: "up" | "starting" | "down" | "cooling";
  /** True while the operator keeps new requests from it. */
  readonly cordoned: boolean;
  readonly inFlight: number;
  readonly capacity: number | null;
  /** What its engine last said of itself, or null while it has said nothing. */
  readonly engine: EngineView | null;
}

/** An engine's word, its age, and whether the engine was asked since and did not answer. */
export interface EngineView {
  readonly observation: EngineObservation;
  readonly ageUs: number;
  readonly stale: boolean;
}

/** Whether some configured backend serves a model to a caller at an endpoint; for an alias, one of the models that it stands for. */
export function viewServes(
  state: State,
  of: { readonly caller: Caller; readonly model: string; readonly endpoint: Endpoint },
): boolean {
  const { aliases, access } = state.config;
  const rules = rulesOf(access, of.caller);
  const named = Object.hasOwn(aliases, of.model) ? (aliases[of.model] ?? []) : [of.model];
  const models = named.filter((model) => mayUse(rules, of.model, model));
  return [...state.backends.values()].some(
    ({ configured, capability }) =>
      configured &&
      capability.endpoints.includes(of.endpoint) &&
      models.some((model) => upstreamModelOf(capability, model) !== null),
  );
}

/** Every configured backend and its load. */
export function viewBackends(state: State, nowUs: number): readonly BackendView[] {
  const views: BackendView[] = [];
  for (const backend of state.backends.values()) {
    if (!backend.configured) continue;
    const cooling = backend.coolUntilUs > nowUs ? "cooling" : "up";
    views.push({
      backendId: backend.id,
      site: backend.config.site,
      layer: state.sites.get(backend.config.site)?.layer ?? null,
      state: backend.starting ? "starting" : backend.down ? "down" : cooling,
      cordoned: backend.cordoned,
      inFlight: backend.inFlight,
      capacity: backend.capacity,
      engine: backend.observed === null ? null : engineView(backend.observed, nowUs),
    });
  }
  return views;
}

function engineView({ observation, atUs, stale }: ObservedState, nowUs: number): EngineView {
  return { observation, ageUs: nowUs - atUs, stale };
}
