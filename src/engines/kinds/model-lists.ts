import { type ModelObservation, unknownModel } from "../../base/engine-observation.ts";
import { limit, member, text } from "./json.ts";
import { type Answers, MODELS } from "./reader.ts";

// What an engine lists beyond this many is left out: the list goes into the journal with every probe.
const MOST_MODELS = 256;

/** At most so many models as an observation holds, or null when there is no list. */
export function listed(models: readonly ModelObservation[] | null): readonly ModelObservation[] | null {
  return models === null ? null : models.slice(0, MOST_MODELS);
}

/** The entries of the OpenAI-compatible list, or null when it is none. */
export function entriesOf(answers: Answers): readonly unknown[] | null {
  const data = member(answers.json(MODELS.path), "data");
  return Array.isArray(data) ? (data as readonly unknown[]) : null;
}

/** Whether an entry of the list names this owner. */
export function ownedBy(answers: Answers, owner: string): boolean {
  return entriesOf(answers)?.some((entry) => member(entry, "owned_by") === owner) === true;
}

/**
 * The models of the OpenAI-compatible list as vLLM and SGLang write it: an entry with a `parent` is a LoRA adapter of it, and
 * entries with the same `root` are names of one model.
 */
export function modelsByRoot(answers: Answers): readonly ModelObservation[] | null {
  const entries = entriesOf(answers);
  if (entries === null) return null;
  const models = new Map<string, ModelObservation & { aliases: string[]; loras: string[] }>();
  const adapters: { readonly id: string; readonly parent: string }[] = [];
  for (const entry of entries) {
    const id = text(member(entry, "id"));
    if (id === null) continue;
    const parent = text(member(entry, "parent"));
    if (parent !== null) {
      adapters.push({ id, parent });
      continue;
    }
    const key = text(member(entry, "root")) ?? id;
    const known = models.get(key);
    if (known !== undefined) known.aliases.push(id);
    else {
      const contextTokens = limit(member(entry, "max_model_len"));
      models.set(key, { ...unknownModel(id), aliases: [], loras: [], contextTokens, state: "loaded" });
    }
  }
  const all = [...models.values()];
  for (const { id, parent } of adapters) {
    const base = all.find((model) => model.id === parent || model.aliases.includes(parent)) ?? models.get(parent);
    base?.loras.push(id);
  }
  return listed(all);
}

/** The models of the OpenAI-compatible list by name alone. */
export function modelsByName(answers: Answers): readonly ModelObservation[] | null {
  const entries = entriesOf(answers);
  if (entries === null) return null;
  return listed(
    entries.flatMap((entry) => {
      const id = text(member(entry, "id"));
      return id === null ? [] : [unknownModel(id)];
    }),
  );
}

/** The context that every one of the models has, or null when they differ, one does not say, or there is none. */
export function sharedContext(models: readonly ModelObservation[] | null): number | null {
  const [first, ...rest] = models ?? [];
  if (first === undefined) return null;
  return rest.every(({ contextTokens }) => contextTokens === first.contextTokens) ? first.contextTokens : null;
}
