import { readFileSync } from "node:fs";
import { loadCatalog } from "../catalog/load.ts";
import { type Invocation, textOption, UsageError } from "../cli.ts";
import { ask } from "./ask.ts";
import { answerBatch } from "./batch.ts";
import { readQuestions } from "./options.ts";
import { printEstimates } from "./print.ts";
import { pageOf } from "./page.ts";
import { type EstimatePoint, pointOf } from "./report.ts";
import { QuestionError } from "./names.ts";

export { ESTIMATE } from "./spec.ts";

const USUAL_WIDTH = 80;

/** Answers from the catalogue and the cost model; exit status 1 where the first hardware does not hold the model. */
export async function runEstimate(invocation: Invocation): Promise<number> {
  const catalog = loadCatalog(textOption(invocation, "catalog"));
  const file = textOption(invocation, "batch");
  if (file !== null) {
    for (const line of answerBatch(catalog, readTable(file))) await write(line);
    return 0;
  }
  const today = new Date().toISOString().slice(0, "YYYY-MM-DD".length);
  const series = asUsage(() => {
    const questions = readQuestions(catalog, invocation, today);
    return questions.map((asked) => asked.map((each) => pointOf(ask(catalog, each))));
  });
  await write(printed(invocation, catalog.catalogVersion, series));
  return series[0]?.[0]?.fits === true ? 0 : 1;
}

function printed(
  invocation: Invocation,
  catalogVersion: string,
  series: readonly (readonly EstimatePoint[])[],
): string {
  if (invocation.values["json"] === true) {
    return `${JSON.stringify({ method: "model_estimate", catalogVersion, series })}\n`;
  }
  if (invocation.values["html"] === true) return pageOf(series, catalogVersion);
  return printEstimates(series, process.stdout.columns ?? USUAL_WIDTH);
}

function readTable(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--batch cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What the catalogue does not know is a matter of usage. */
function asUsage<T>(answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    if (error instanceof QuestionError) throw new UsageError(error.message);
    throw error;
  }
}

async function write(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise((resolve) => process.stdout.once("drain", resolve));
}
