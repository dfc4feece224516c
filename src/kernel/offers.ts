import { present } from "../base/assert.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { BackendId } from "../base/ids.ts";
import type { Job } from "../base/job.ts";
import type { ModelCard } from "../base/model.ts";
import type { Exclusion, ExclusionReason, Offer } from "../base/offer.ts";
import { readyUs, reservationOf } from "../dispatch/quota.ts";
import { mayUse, rulesOf } from "../policy/access.ts";
import { forbids, type Wanted } from "../policy/eligible.ts";
import { unmetNeeds } from "../policy/needs.ts";
import type { KernelConfig } from "./config.ts";
import { type BackendState, capabilityOf, type OpenRequest, type State } from "./state.ts";

/** What could serve a request now. */
export interface Market {
  /** The model that the one asked for comes to. */
  readonly model: string;
  readonly offers: readonly Offer[];
  readonly excluded: readonly Exclusion[];
}

/** The models that a request may be served by, in the order in which they are tried; one that may not be where there is none. */
export function modelsFor(config: KernelConfig, job: Job): readonly Wanted[] {
  const { aliases, access } = config;
  const names = Object.hasOwn(aliases, job.model) ? (aliases[job.model] ?? []) : [job.model];
  const rules = rulesOf(access, job.principal);
  const allowed = rules.length === 0 ? names : names.filter((model) => mayUse(rules, job.model, model));
  // Of models that may not be used nothing is told, not even their names.
  if (allowed.length === 0) return [{ model: job.model, card: null, isAllowed: false }];
  return allowed.map((model) => ({ model, card: cardOf(config, model), isAllowed: true }));
}

function cardOf({ models }: KernelConfig, model: string): ModelCard | null {
  return Object.hasOwn(models, model) ? (models[model] ?? null) : null;
}

/** When a request is placed, and behind whom: the quotas that older ones wait for, and when these let them go. */
export interface Moment {
  readonly nowUs: number;
  readonly ahead: ReadonlyMap<BackendId, number>;
}

/** The offers for the first of the request's models that some backend may serve, or none for the last. */
export function marketFor(state: State, request: OpenRequest, moment: Moment): Market {
  const [first, ...others] = modelsFor(state.config, request.job);
  let market = marketOf(state, request, { wanted: present(first, "a request may be for one model at least"), moment });
  for (const wanted of others) {
    if (market.offers.length > 0) break;
    // What is excluded for a model that was passed over says so by its name.
    const earlier = market.excluded.map((each) => ({ model: market.model, ...each }));
    const next = marketOf(state, request, { wanted, moment });
    market = { ...next, excluded: [...earlier, ...next.excluded] };
  }
  return market;
}

function marketOf(
  state: State,
  request: OpenRequest,
  { wanted, moment }: { readonly wanted: Wanted; readonly moment: Moment },
): Market {
  const offers: Offer[] = [];
  const excluded: Exclusion[] = [];
  for (const backend of state.backends.values()) {
    if (!backend.configured) continue;
    const reason = request.tried.includes(backend.id)
      ? "already_tried"
      : (forbids(backend.capability, request.job, wanted) ?? (backend.cordoned ? "cordoned" : null));
    if (reason !== null) excluded.push({ backendId: backend.id, reason });
    else offers.push(offerOf(backend, request.job, moment));
  }
  for (const pool of state.config.emptyPools) {
    const reason = forbids(capabilityOf(pool), request.job, wanted);
    // Of members whose models are not known until they are asked, any may serve it for all that is known.
    const isFit = reason === null || reason === "models_unknown";
    excluded.push({ backendId: pool.id, reason: isFit ? "no_members" : reason });
  }
  return { model: wanted.model, offers, excluded };
}

function offerOf(backend: BackendState, job: Job, moment: Moment): Offer {
  const { nowUs } = moment;
  return {
    backendId: backend.id,
    inFlight: backend.inFlight,
    // A backend that is starting can take nothing yet; requests wait for it like for a full one.
    capacity: backend.starting ? 0 : backend.capacity,
    cooling: backend.down || backend.coolUntilUs > nowUs,
    coolUntilUs: Math.max(backend.coolUntilUs, backend.down ? nowUs + 1 : 0),
    quotaReadyUs: quotaReadyUsOf(backend, job, moment),
  };
}

function quotaReadyUsOf({ id, config, buckets }: BackendState, job: Job, { nowUs, ahead }: Moment): number | null {
  if (config.quota === null) return null;
  const ownUs = readyUs(buckets, reservationOf(job, config.quota), nowUs);
  const aheadUs = ahead.get(id);
  // Whoever came first goes first, though a smaller request would fit into what is left.
  if (aheadUs !== undefined) return Math.max(aheadUs, ownUs);
  return ownUs > nowUs ? ownUs : null;
}

/** Why nothing may serve a job, and what the message adds. */
export function refusalOf(
  config: KernelConfig,
  job: Job,
  excluded: readonly Exclusion[],
): { readonly code: ErrorCode; readonly detail: string } {
  const has = (reason: ExclusionReason): boolean => excluded.some((exclusion) => exclusion.reason === reason);
  const detail = job.model;
  // The one reason that passes by itself, so it goes before those that speak against the request.
  if (has("no_members")) return { code: "no_members", detail };
  if (has("context_too_small")) return { code: "context_length_exceeded", detail };
  if (has("output_too_long")) return { code: "output_limit_exceeded", detail };
  if (has("content_unsupported")) {
    const unmet = modelsFor(config, job).flatMap(({ card }) => (card === null ? [] : unmetNeeds(card, job)));
    return { code: "content_unsupported", detail: `${detail} takes no ${[...new Set(unmet)].join(" and no ")}` };
  }
  if (has("endpoint_not_served")) return { code: "endpoint_not_served", detail };
  // A backend that was never reached may serve it for all that is known.
  if (has("models_unknown")) return { code: "upstream_unreachable", detail };
  return { code: "model_not_found", detail };
}
