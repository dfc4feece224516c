import { CatalogError, loadCatalog } from "../catalog/load.ts";
import { type Invocation, UsageError } from "../cli.ts";
import type { Catalog } from "../../catalog/types.ts";
import { ask } from "./ask.ts";
import { QuestionError } from "./names.ts";
import { readQuestions } from "./options.ts";
import { pointOf } from "./report.ts";
import { ESTIMATE } from "./spec.ts";

/** Options that are the command line's alone: files of the server are none of a client's business, and the answer is always JSON. */
const LOCAL = new Set(["catalog", "batch", "json", "html"]);
const NAMES = new Set(ESTIMATE.options.map(({ name }) => name).filter((name) => !LOCAL.has(name)));
const SWITCHES = new Set(ESTIMATE.options.filter(({ value }) => value === null).map(({ name }) => name));
const MOST_COMPARED = 16;

/** What `GET /api/estimate` answers: the document of `baseload estimate --json`, or what is wrong with the question. */
export type EstimateAnswer = { readonly value: object } | { readonly problem: string };

/** Answers queries whose parameters are the command line's options, with the catalogue that comes with Baseload, read at the first. */
export function estimator(): (query: URLSearchParams) => EstimateAnswer {
  let catalog: Catalog | null = null;
  return (query) => {
    try {
      catalog ??= loadCatalog(null);
      return { value: answer(catalog, invocationOf(query)) };
    } catch (error) {
      if (error instanceof UsageError || error instanceof QuestionError || error instanceof CatalogError)
        return { problem: error.message };
      throw error;
    }
  };
}

function answer(catalog: Catalog, invocation: Invocation): object {
  const questions = readQuestions(catalog, invocation, null);
  const series = questions.map((asked) => asked.map((each) => pointOf(ask(catalog, each))));
  return { method: "model_estimate", catalogVersion: catalog.catalogVersion, series };
}

function invocationOf(query: URLSearchParams): Invocation {
  const values: Record<string, string | boolean> = {};
  for (const [name, text] of query) {
    if (!NAMES.has(name))
      throw new UsageError(`There is no parameter ${JSON.stringify(name)}: ${[...NAMES].join(", ")}.`);
    if (Object.hasOwn(values, name)) throw new UsageError(`The parameter ${name} is given twice.`);
    values[name] = SWITCHES.has(name) ? text !== "false" : text;
  }
  if (String(values["compare"] ?? "").split(",").length > MOST_COMPARED)
    throw new UsageError(`compare takes at most ${MOST_COMPARED} entries.`);
  return { values, positionals: [] };
}
