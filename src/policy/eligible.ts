import type { Endpoint, Job } from "../base/job.ts";
import type { ModelCard } from "../base/model.ts";
import type { ExclusionReason } from "../base/offer.ts";
import { exceeds, fewestTokens } from "./needs.ts";
import { type ModelPattern, type ServedModels, upstreamName } from "./model-names.ts";

/** What a backend can do, as far as policy asks. */
export interface Capability {
  /** Client's model name → upstream's. Null: not known yet. */
  readonly models: Readonly<Record<string, string>> | null;
  /** Families of names that it serves besides, the longest prefix first. */
  readonly patterns: readonly ModelPattern[];
  readonly endpoints: readonly Endpoint[];
  readonly contextTokens: number | null;
}

/** What a request comes to for one of the models that it may be served by. */
export interface Wanted {
  /** The model's name, of which the request's may be an alias. */
  readonly model: string;
  /** What is known of the model, or null. */
  readonly card: ModelCard | null;
  /** Whether the caller may use it. */
  readonly isAllowed: boolean;
}

/** The upstream's name for `model`, or null when the backend does not serve it. */
export function upstreamModelOf(capability: Capability, model: string): string | null {
  return isKnown(capability) ? upstreamName(capability, model) : null;
}

function isKnown(capability: Capability): capability is Capability & ServedModels {
  return capability.models !== null;
}

/**
 * Why policy forbids this backend for this job, or null when it may serve it. What is forbidden is never priced. The context
 * test here is the safe side only (a text that cannot fit by any tokenizer); the engine knows the exact count. A model that the
 * caller may not use is like one that nobody serves, so that its existence is not told.
 */
export function forbids(capability: Capability, job: Job, wanted: Wanted): ExclusionReason | null {
  if (capability.models === null) return "models_unknown";
  if (!wanted.isAllowed || upstreamModelOf(capability, wanted.model) === null) return "model_not_served";
  if (!capability.endpoints.includes(job.endpoint)) return "endpoint_not_served";
  const context = capability.contextTokens;
  if (context !== null && fewestTokens(job) > context) return "context_too_small";
  return wanted.card === null ? null : exceeds(wanted.card, job);
}
