import { type ModelObservation, unknownModel, unknownObservation } from "../../base/engine-observation.ts";
import { items, limit, member, text } from "./json.ts";
import { listed } from "./model-lists.ts";
import { type Answers, type KindReader, MODELS, root } from "./reader.ts";

const LOADED = "/api/ps";
const TAGS = "/api/tags";
const VERSION = "/api/version";

/**
 * Ollama, by https://docs.ollama.com/api. It has no metrics: what runs and waits is unknown. The context of a loaded model is what
 * it was loaded with and may change when it is loaded again, so that it bounds that model's entry and not the engine.
 */
export const ollama: KindReader = {
  kind: "ollama",
  endpoints: [MODELS, root(LOADED), root(TAGS), root(VERSION)],
  matches: (answers) => Array.isArray(member(answers.json(LOADED), "models")) && answers.version(VERSION) !== null,
  read: (answers) => ({
    ...unknownObservation("ollama"),
    version: answers.version(VERSION),
    models: modelsOf(answers),
  }),
};

function modelsOf(answers: Answers): readonly ModelObservation[] | null {
  const tags = answers.json(TAGS);
  const loaded = answers.json(LOADED);
  if (!Array.isArray(member(tags, "models")) && !Array.isArray(member(loaded, "models"))) return null;
  const running = new Map(items(member(loaded, "models")).map((model) => [text(member(model, "name")), model]));
  const known = items(member(tags, "models"));
  const listedNames = new Set(known.map((model) => text(member(model, "name"))));
  const alone = [...running.values()].filter((model) => !listedNames.has(text(member(model, "name"))));
  return listed(
    [...known, ...alone].flatMap((model): readonly ModelObservation[] => {
      const id = text(member(model, "name"));
      if (id === null) return [];
      const instance = running.get(id);
      const isKnown = Array.isArray(member(loaded, "models"));
      return [
        {
          ...unknownModel(id),
          contextTokens: limit(member(instance, "context_length")),
          quantization: text(member(model, "details", "quantization_level")),
          state: isKnown ? (instance === undefined ? "unloaded" : "loaded") : null,
          sizeBytes: limit(member(model, "size")),
          architecture: text(member(model, "details", "family")),
        },
      ];
    }),
  );
}
