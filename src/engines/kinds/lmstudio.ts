import { type ModelObservation, unknownModel, unknownObservation } from "../../base/engine-observation.ts";
import { items, limit, member, text } from "./json.ts";
import { listed } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";

const V1 = "/api/v1/models";
const V0 = "/api/v0/models";

/** LM Studio, by https://lmstudio.ai/docs/developer/rest: `/api/v1` since 0.4, `/api/v0` before. It says nothing of its load. */
export const lmstudio: KindReader = {
  kind: "lmstudio",
  endpoints: [MODELS, root(V1), root(V0, (answers) => currentOf(answers) === null)],
  matches: (answers) => currentOf(answers) !== null || formerOf(answers) !== null,
  read: (answers) => ({
    ...unknownObservation("lmstudio"),
    maxConcurrent: parallelOf(currentOf(answers)),
    models: listed(currentOf(answers)?.flatMap(currentModel) ?? formerOf(answers)?.flatMap(formerModel) ?? null),
  }),
};

/** The models of `/api/v1`, or null: an LM Studio without it answers with status 200 and an error. */
function currentOf(answers: Answers): readonly unknown[] | null {
  const models = member(answers.json(V1), "models");
  return Array.isArray(models) && models.every((model) => Array.isArray(member(model, "loaded_instances")))
    ? models
    : null;
}

function formerOf(answers: Answers): readonly unknown[] | null {
  const models = member(answers.json(V0), "data");
  const isModel = (model: unknown): boolean => text(member(model, "compatibility_type")) !== null;
  return Array.isArray(models) && models.every(isModel) ? models : null;
}

function currentModel(model: unknown): readonly ModelObservation[] {
  const id = text(member(model, "key"));
  if (id === null) return [];
  const instances = items(member(model, "loaded_instances"));
  const vision = member(model, "capabilities", "vision");
  return [
    {
      ...unknownModel(id),
      aliases: instances.flatMap((each) => text(member(each, "id")) ?? []).filter((alias) => alias !== id),
      contextTokens:
        limit(member(instances[0], "config", "context_length")) ?? limit(member(model, "max_context_length")),
      quantization: text(member(model, "quantization", "name")),
      state: instances.length > 0 ? "loaded" : "unloaded",
      sizeBytes: limit(member(model, "size_bytes")),
      architecture: text(member(model, "architecture")),
      modalities: typeof vision === "boolean" ? ["text", ...(vision ? ["image"] : [])] : null,
    },
  ];
}

function formerModel(model: unknown): readonly ModelObservation[] {
  const id = text(member(model, "id"));
  if (id === null) return [];
  const state = text(member(model, "state"));
  const type = text(member(model, "type"));
  return [
    {
      ...unknownModel(id),
      contextTokens: limit(member(model, "loaded_context_length")) ?? limit(member(model, "max_context_length")),
      quantization: text(member(model, "quantization")),
      state: state === "loaded" ? "loaded" : state === "not-loaded" ? "unloaded" : null,
      architecture: text(member(model, "arch")),
      modalities: type === "vlm" ? ["text", "image"] : type === "llm" ? ["text"] : null,
    },
  ];
}

/** Predictions at once over all loaded language models, or null when one of them does not say, or none is loaded. */
function parallelOf(models: readonly unknown[] | null): number | null {
  const instances = (models ?? [])
    .filter((model) => member(model, "type") === "llm")
    .flatMap((model) => items(member(model, "loaded_instances")));
  const figures = instances.map((each) => limit(member(each, "config", "parallel")));
  if (figures.length === 0 || figures.includes(null)) return null;
  return figures.reduce<number>((sum, each) => sum + (each ?? 0), 0);
}
