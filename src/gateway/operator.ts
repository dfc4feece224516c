import type { IncomingMessage, ServerResponse } from "node:http";
import type { BackendView, EngineView } from "../kernel/view.ts";
import type { Desk } from "../ports/desk.ts";
import { sendError, sendJson } from "./answers.ts";

const BACKENDS = "/api/backends";
const VERBS = ["cordon", "uncordon", "drain"] as const;
const DRAIN_WAIT_MS = 30_000;
const DRAIN_WAIT_MAX_MS = 600_000;
const DRAIN_LOOK_MS = 50;

type Verb = (typeof VERBS)[number];

/** A request of an operator: what is asked of which backend, or, without one, the list of all. */
export interface Operation {
  readonly backendId: string | null;
  readonly verb: Verb | null;
}

/** What a path asks for, or null when it is none of an operator's. A backend's name may hold slashes, escaped or not. */
export function operationOf(path: string): Operation | null {
  if (path === BACKENDS) return { backendId: null, verb: null };
  if (!path.startsWith(`${BACKENDS}/`)) return null;
  const rest = path.slice(BACKENDS.length + 1);
  const end = rest.lastIndexOf("/");
  const verb = VERBS.find((each) => each === rest.slice(end + 1));
  if (end < 1 || verb === undefined) return null;
  try {
    return { backendId: decodeURIComponent(rest.slice(0, end)), verb };
  } catch {
    return null;
  }
}

/** The operator's endpoints. Who asks was let in already; it decides nothing, the desk is told and asked. */
export class Operator {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  take(req: IncomingMessage, res: ServerResponse, { backendId, verb }: Operation): void {
    if (backendId === null || verb === null) {
      return sendJson(res, 200, { value: { backends: this.#desk.backends().map(shown) } });
    }
    if (this.#find(backendId) === undefined) return sendError(res, "backend_not_found", { detail: backendId });
    const waitMs = verb === "drain" ? waitMsOf(req.url ?? "") : 0;
    if (waitMs === null) {
      const detail = `waitMs is a whole number from 0 to ${DRAIN_WAIT_MAX_MS}`;
      return sendError(res, "invalid_request", { detail, param: "waitMs" });
    }
    this.#desk.cordon(backendId, verb !== "uncordon");
    if (verb === "drain") this.#drain(res, backendId, performance.now() + waitMs);
    else this.#answer(res, backendId, 200);
  }

  /** Looks until nothing is in flight there; ends early when the client leaves or another operator takes the cordon back. */
  #drain(res: ServerResponse, backendId: string, endMs: number): void {
    const backend = this.#find(backendId);
    const isEmpty = backend === undefined || backend.inFlight === 0;
    if (isEmpty) return this.#answer(res, backendId, 200);
    if (performance.now() >= endMs || !backend.cordoned || this.#desk.stopping) {
      return this.#answer(res, backendId, 202);
    }
    setTimeout(() => {
      if (!res.destroyed) this.#drain(res, backendId, endMs);
    }, DRAIN_LOOK_MS);
  }

  #answer(res: ServerResponse, backendId: string, status: 200 | 202): void {
    const backend = this.#find(backendId);
    // Taken out of the configuration meanwhile: it gets nothing any more, but what it still holds is not known here.
    if (backend === undefined) return sendError(res, "backend_not_found", { detail: backendId });
    sendJson(res, status, { value: shown(backend) });
  }

  #find(backendId: string): BackendView | undefined {
    return this.#desk.backends().find((backend) => backend.backendId === backendId);
  }
}

function shown(backend: BackendView): object {
  const { backendId, site, layer, state, cordoned, inFlight, capacity } = backend;
  const cooling = state === "cooling";
  const engine = backend.engine === null ? null : shownEngine(backend.engine);
  return { backendId, site, layer, state: cooling ? "up" : state, cooling, cordoned, inFlight, capacity, engine };
}

/** An engine's word in the units that people read. */
function shownEngine({ observation, ageUs, stale }: EngineView): object {
  const { kvUsageMillionths, generationMilliTokensPerSecond, kind, version, ...rest } = observation;
  return {
    kind,
    version,
    ageMs: Math.round(ageUs / 1000),
    stale,
    kvUsage: kvUsageMillionths === null ? null : kvUsageMillionths / 1e6,
    generationTokensPerSecond: generationMilliTokensPerSecond === null ? null : generationMilliTokensPerSecond / 1e3,
    ...rest,
  };
}

/** How long a drain may wait, or null when what is given is no such time. */
function waitMsOf(target: string): number | null {
  const given = new URLSearchParams(target.split("?")[1] ?? "").get("waitMs");
  if (given === null) return DRAIN_WAIT_MS;
  const waitMs = Number(given);
  return given !== "" && Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= DRAIN_WAIT_MAX_MS ? waitMs : null;
}
