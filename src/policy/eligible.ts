import type { Endpoint, Job } from "../base/job.ts";
import type { ExclusionReason } from "../base/offer.ts";

/** What a backend can do, as far as policy asks. */
export interface Capability {
  /** Client's model name → upstream's; `*` passes any name. Null: not known yet. */
  readonly models: Readonly<Record<string, string>> | null;
  readonly endpoints: readonly Endpoint[];
  readonly contextTokens: number | null;
}

/** The upstream's name for `model`, or null when the backend does not serve it. */
export function upstreamModelOf(capability: Capability, model: string): string | null {
  const models = capability.models;
  if (models === null) return null;
  if (Object.hasOwn(models, model)) return models[model] as string;
  return Object.hasOwn(models, "*") ? model : null;
}

// No tokenizer in use makes fewer tokens than one for this many characters of running text.
const CHARACTERS_PER_TOKEN_MAX = 16;

/**
 * Why policy forbids this backend for this job, or null when it may serve it. What is forbidden is never priced. The context
 * test here is the safe side only (a text that cannot fit by any tokenizer); the engine knows the exact count.
 */
export function forbids(capability: Capability, job: Job): ExclusionReason | null {
  if (capability.models === null) return "models_unknown";
  if (upstreamModelOf(capability, job.model) === null) return "model_not_served";
  if (!capability.endpoints.includes(job.endpoint)) return "endpoint_not_served";
  const context = capability.contextTokens;
  if (context !== null && job.promptTextLength > context * CHARACTERS_PER_TOKEN_MAX) return "context_too_small";
  return null;
}
