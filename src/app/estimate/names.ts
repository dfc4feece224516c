import { findAccelerator, findModel, findPrecision } from "../../catalog/lookup.ts";
import type { Accelerator, Catalog, Model, Precision } from "../../catalog/types.ts";
import type { EngineName } from "../../cost/deployment.ts";
import { nearest } from "../config/suggest.ts";

/** The most chips that one question may be about. */
export const MOST_CHIPS = 100_000;

/** A question that cannot be answered as it is put, in words that say what to put in its place. */
export class QuestionError extends Error {
  override readonly name = "QuestionError";
}

/** Hardware with its count of chips: `h200x4` is four, a machine's name stands for all its chips. */
export function readHardware(
  catalog: Catalog,
  text: string,
): { readonly accelerator: Accelerator; readonly count: number } {
  const whole = findAccelerator(catalog, text);
  if (whole !== null) return { accelerator: whole, count: whole.accelerators };
  const [, name = text, times = "1"] = /^(.+?)[x:*](\d{1,5})$/i.exec(text) ?? [];
  const accelerator = findAccelerator(catalog, name) ?? wanted(catalog.accelerators, "hardware", name);
  const count = Number(times);
  const chips = count * accelerator.accelerators;
  if (chips < 1 || chips > MOST_CHIPS)
    throw new QuestionError(`${text} is ${chips} chips: from 1 to ${MOST_CHIPS} are possible.`);
  return { accelerator, count: chips };
}

/** The model of this name; throws `QuestionError` with the nearest name. */
export function readModel(catalog: Catalog, name: string): Model {
  return findModel(catalog, name) ?? wanted(catalog.models, "model", name);
}

/** The precision of this name; throws `QuestionError` with the nearest name. */
export function readPrecision(catalog: Catalog, name: string): Precision {
  return findPrecision(catalog, name) ?? wanted(catalog.precisions, "precision", name);
}

function wanted(
  entries: readonly { readonly id: string; readonly aliases: readonly string[] }[],
  what: string,
  name: string,
): never {
  throw unknown(
    what,
    name,
    entries.flatMap((each) => [each.id, ...each.aliases]),
  );
}

/** The engine that this name means, as people and measurements spell it: `dynamo-trt` is TensorRT-LLM; ATOM and NeuronX count as vLLM. */
export function readEngine(text: string): EngineName {
  const name = text.toLowerCase();
  if (/^(?:dynamo-)?(?:trt|tensorrt)/.test(name)) return "trtllm";
  if (name.includes("sglang")) return "sglang";
  if (/llama\.?cpp|ollama/.test(name)) return "llama.cpp";
  if (/llama-(?:batched-)?bench/.test(name)) return "llama.cpp";
  if (/vllm|^atom$|neuronx/.test(name)) return "vllm";
  throw new QuestionError(
    `The cost model knows no engine ${JSON.stringify(text)}: vllm, sglang, trtllm and llama.cpp.`,
  );
}

/** Says that the catalogue lacks a name, and which is nearest. */
export function unknown(what: string, name: string, known: readonly string[]): QuestionError {
  const near = nearest(name, known);
  const remedy = near === null ? `Known are ${known.slice(0, 8).join(", ")} …` : `Did you mean ${near}?`;
  return new QuestionError(`The catalogue has no ${what} ${JSON.stringify(name)}. ${remedy}`);
}
