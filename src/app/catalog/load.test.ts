import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findAccelerator, findModel, findPrecision } from "../../catalog/lookup.ts";
import { chipOf } from "../../catalog/machine.ts";
import { countParameters, kvElementsPerLayer } from "../../catalog/parameters.ts";
import { readHeadOf } from "../../engines/embedded/model-info.ts";
import { TINY_MODEL_CONTEXT_TOKENS, writeTinyModel } from "../../engines/embedded/tiny-model.ts";
import { CatalogError, loadCatalog, loadModel } from "./load.ts";

const catalog = loadCatalog(null);

test("names and aliases are unique within each list, and every figure names a source that is listed", () => {
  const sources = new Set(catalog.sources.map(({ id }) => id));
  for (const list of [catalog.accelerators, catalog.models, catalog.precisions]) {
    const names = list.flatMap(({ id, aliases }) => [id, ...aliases]).map((name) => name.toLowerCase());
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  }
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const source = (value as { readonly source?: unknown }).source;
    if (source !== undefined) assert.ok(sources.has(String(source)), `source ${String(source)}`);
    for (const each of Object.values(value)) walk(each);
  };
  walk([catalog.accelerators, catalog.models, catalog.precisions, catalog.prices, catalog.grids]);
});

test("what entries refer to exists", () => {
  for (const { id, chip } of catalog.accelerators) {
    if (chip !== null) assert.equal(findAccelerator(catalog, chip)?.id, chip, id);
  }
  for (const { accelerator } of catalog.prices) assert.equal(findAccelerator(catalog, accelerator)?.id, accelerator);
  for (const { id, nativePrecision } of catalog.models) {
    assert.equal(findPrecision(catalog, nativePrecision)?.id, nativePrecision, id);
  }
});

test("the dimensions of every model make its published number of parameters, within 1.5 %", () => {
  for (const model of catalog.models) {
    const ratio = countParameters(model).total / (model.publishedParameters ?? 0);
    assert.ok(Math.abs(ratio - 1) < 0.015, `${model.id}: ${ratio}`);
  }
});

test("KV cache sizes that are published come out of the dimensions", () => {
  const perToken = (name: string): number => {
    const model = findModel(catalog, name);
    assert.ok(model !== null);
    return model.layers * kvElementsPerLayer(model);
  };
  assert.equal(perToken("deepseek-r1"), 35_136);
  assert.equal(perToken("meta-llama/Llama-3.1-70B"), 163_840);
});

test("a rack's chip has the rack's figures divided, and its chip's own where the rack's are unknown", () => {
  const rack = findAccelerator(catalog, "gb200-nvl72");
  assert.ok(rack !== null);
  const chip = chipOf(catalog, rack);
  assert.equal(chip.bandwidthBytesPerS, 8e12);
  assert.equal(chip.tdpW, 1200);
  assert.equal(chip.scaleUpBytesPerS, 900e9);
  assert.equal(Math.round(chip.nodeW ?? 0), 1667);
});

test("a user's file replaces what has the same name, adds the rest, and marks the version", (context) => {
  const file = temporary(context, "own.yaml", "grids:\n  - zone: HOME\n    gramsPerKwh: null\nprices: []\n");
  const own = loadCatalog(file);
  assert.equal(own.grids[0]?.zone, "HOME");
  assert.equal(own.catalogVersion, `${catalog.catalogVersion}+own`);
  assert.equal(own.models.length, catalog.models.length);
});

test("a file of another shape is refused with the place", (context) => {
  const file = temporary(context, "own.json", '{"grids":[{"zone":"HOME","gramsPerKwh":400}]}');
  assert.throws(
    () => loadCatalog(file),
    (error) => error instanceof CatalogError && /grids\.0\.gramsPerKwh/.test(error.message),
  );
});

test("a model is read from a config.json, and from no other JSON", (context) => {
  const config = {
    model_type: "llama",
    num_hidden_layers: 32,
    hidden_size: 4096,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    intermediate_size: 14_336,
    vocab_size: 128_256,
    max_position_embeddings: 131_072,
  };
  const model = loadModel(temporary(context, "config.json", JSON.stringify(config)), "2026-11-23");
  const known = findModel(catalog, "llama-3.1-8b");
  assert.ok(known !== null);
  assert.deepEqual(countParameters(model), countParameters(known));
  assert.throws(() => loadModel(temporary(context, "other.json", "{}"), "2026-11-23"), /num_hidden_layers/);
});

test("a model is read from a GGUF file, and from no other file of that name", (context) => {
  const file = temporary(context, "tiny.gguf", "no GGUF at all");
  assert.throws(
    () => loadModel(file, "2026-11-23"),
    (error) => error instanceof CatalogError && /not a GGUF/.test(error.message),
  );
  writeTinyModel(file);
  const model = loadModel(file, "2026-11-23");
  assert.equal(model.contextTokens, TINY_MODEL_CONTEXT_TOKENS);
  // The norms, and biases if any, are what the count leaves out.
  const ratio = countParameters(model).total / readHeadOf(file).head.parameterCount;
  assert.ok(ratio > 0.95 && ratio <= 1, String(ratio));
});

function temporary(context: { after: (act: () => void) => void }, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "baseload-catalog-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}
