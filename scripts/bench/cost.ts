/**
 * Measures the cost model: `node scripts/bench/cost.ts [--json]`. Step evaluations a second on one core, over models and batches
 * that differ from call to call, so that nothing can be hoisted out of the loop.
 */
import { loadCatalog } from "../../src/app/catalog/load.ts";
import { findAccelerator, findModel, findPrecision } from "../../src/catalog/lookup.ts";
import { chipOf } from "../../src/catalog/machine.ts";
import { compile, type Deployment } from "../../src/cost/deployment.ts";
import { step } from "../../src/cost/step.ts";

const ROUNDS = 5;
const STEPS = 2_000_000;
const PLACES = [
  ["llama-3.1-70b", "h200", "fp8"],
  ["deepseek-v3", "b200", "nvfp4"],
  ["gpt-oss-120b", "mi355x", "mxfp4"],
  ["qwen3.5-397b-a17b", "gb200", "fp8"],
] as const;

function deployments(): readonly Deployment[] {
  const catalog = loadCatalog(null);
  return PLACES.flatMap(([modelName, chipName, precisionName]) => {
    const model = findModel(catalog, modelName);
    const accelerator = findAccelerator(catalog, chipName);
    const precision = findPrecision(catalog, precisionName);
    if (model === null || accelerator === null || precision === null) return [];
    const parallelism = { tp: 8, dp: 1, pp: 1 };
    const compiled = compile({ model, precision, chip: chipOf(catalog, accelerator), parallelism, engine: "vllm" });
    return "deployment" in compiled ? [compiled.deployment] : [];
  });
}

/** Steps a second of one round, and the sum of their seconds, so that they cannot be left out. */
function round(places: readonly Deployment[]): { readonly stepsPerS: number; readonly sumS: number } {
  const start = performance.now();
  let sumS = 0;
  for (let index = 0; index < STEPS; index += 1) {
    const deployment = places[index % places.length] as Deployment;
    const state = {
      decodeSequences: 1 + (index & 511),
      decodeContextTokens: 500 + (index & 8191),
      decodeTokensPerSequence: 1,
      prefillTokens: index & 2047,
      prefillContextTokens: 1000,
    };
    sumS += step(deployment, state).seconds;
  }
  return { stepsPerS: (STEPS * 1000) / (performance.now() - start), sumS };
}

const places = deployments();
const found = Array.from({ length: ROUNDS }, () => round(places)).toSorted((a, b) => a.stepsPerS - b.stepsPerS);
const stepsPerS = Math.round(found[ROUNDS >> 1]?.stepsPerS ?? 0);
if (process.argv.includes("--json")) console.log(JSON.stringify({ stepsPerS, rounds: found }));
else
  console.log(`cost model: ${(stepsPerS / 1e6).toFixed(2)} million steps a second on one core (median of ${ROUNDS})`);
