import type { BackendId } from "../base/ids.ts";
import type { Layer } from "../base/job.ts";
import type { State } from "./state.ts";

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
    });
  }
  return views;
}
