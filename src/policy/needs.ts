import type { Job } from "../base/job.ts";
import type { CapabilityName, ModelCard, Modality } from "../base/model.ts";
import type { ExclusionReason } from "../base/offer.ts";

// No tokenizer in use makes fewer tokens than one for this many characters of running text.
const CHARACTERS_PER_TOKEN_MAX = 16;

/** The fewest tokens that a job's prompt can be. Embeddings are of several texts, of which each has the context to itself. */
export function fewestTokens({ endpoint, promptTextLength }: Job): number {
  return endpoint === "embeddings" ? 0 : Math.ceil(promptTextLength / CHARACTERS_PER_TOKEN_MAX);
}

/** What the model of this card cannot give that the job is known to need, or null. What is unknown on either side forbids nothing. */
export function exceeds(card: ModelCard, job: Job): ExclusionReason | null {
  const { contextTokens, maxOutputTokens } = card;
  const asked = job.maxOutputTokens ?? 0;
  if (contextTokens !== null && fewestTokens(job) + asked > contextTokens) return "context_too_small";
  if (maxOutputTokens !== null && asked > maxOutputTokens) return "output_too_long";
  return unmetNeeds(card, job).length > 0 ? "content_unsupported" : null;
}

const MODALITY_NEEDS = [
  ["images", "image"],
  ["audio", "audio"],
] as const satisfies readonly (readonly [string, Modality])[];
const CAPABILITY_NEEDS = ["tools", "jsonSchema"] as const satisfies readonly CapabilityName[];

/** What the job needs, by the names in `Job.needs`, and embeddings, that the card says the model does not give. */
export function unmetNeeds({ inputModalities, capabilities }: ModelCard, { endpoint, needs }: Job): readonly string[] {
  if (endpoint === "embeddings") return capabilities.embeddings === false ? ["embeddings"] : [];
  if (needs === undefined) return [];
  const unread = MODALITY_NEEDS.filter(
    ([need, modality]) => needs[need] && inputModalities !== null && !inputModalities.includes(modality),
  );
  const unable = CAPABILITY_NEEDS.filter((need) => needs[need] && capabilities[need] === false);
  return [...unread.map(([need]) => need), ...unable];
}
