import type { EngineObservation } from "../base/engine-observation.ts";
import type { BackendId } from "../base/ids.ts";
import type { Endpoint, Layer } from "../base/job.ts";
import { upstreamModelOf } from "../policy/eligible.ts";
import type { ObservedState, State } from "./state.ts";

/** One model as a client may ask for it. */
export interface ModelView {
  readonly model: string;
  readonly backendIds: readonly BackendId[];
  readonly contextTokens: number | null;
}

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

/** Every model name that some backend serves, `*` left out, in configuration order. */
export function viewModels(state: State): readonly ModelView[] {
  const views = new Map<string, { backendIds: BackendId[]; contextTokens: number | null }>();
  for (const backend of state.backends.values()) {
    if (!backend.configured) continue;
    for (const model of Object.keys(backend.capability.models ?? {})) {
      if (model === "*") continue;
      const view = views.get(model) ?? { backendIds: [], contextTokens: null };
      view.backendIds.push(backend.id);
      const context = backend.capability.contextTokens;
      if (context !== null) view.contextTokens = Math.max(view.contextTokens ?? 0, context);
      views.set(model, view);
    }
  }
  return [...views].map(([model, view]) => ({ model, ...view }));
}

/** Whether some configured backend serves this model at this endpoint. */
export function viewServes(state: State, model: string, endpoint: Endpoint): boolean {
  return [...state.backends.values()].some(
    ({ configured, capability }) =>
      configured && upstreamModelOf(capability, model) !== null && capability.endpoints.includes(endpoint),
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
