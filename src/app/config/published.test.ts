import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { configJsonSchema, configJsonSchemaText } from "./json-schema.ts";
import type { JsonSchemaNode } from "./json-schema.ts";
import { ConfigError, loadConfig } from "./load.ts";
import { DECIMAL_KEYS } from "./schema.ts";
import { configTables, withTables } from "./tables.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const doc = read("docs/configuration.md");

test("every example loads without a warning", () => {
  const names = readdirSync(new URL("examples/", root)).filter((name) => /\.ya?ml$/.test(name));
  assert.ok(names.includes("two-upstreams.yaml"));
  for (const name of names) {
    const { config, warnings } = loadConfig(read(`examples/${name}`), name);
    assert.deepEqual(warnings, []);
    assert.ok(config.kernel.backends.length > 0);
  }
});

test("the example of two upstreams has what it says", () => {
  const { config } = loadConfig(read("examples/two-upstreams.yaml"), "two-upstreams.yaml");
  const [rack, cloud] = config.kernel.backends;
  assert.equal(rack?.watts, 2400);
  assert.equal(rack?.models, null);
  assert.equal(cloud?.price?.outputNanoUsdPerMillion, 600_000_000);
  assert.equal(cloud?.models?.["llama-3.1-8b"], "meta-llama/llama-3.1-8b-instruct");
  assert.equal(config.kernel.sites[0]?.electricityNanoUsdPerKwh, 210_000_000);
});

test("the published schema and tables are those of the program (node scripts/schema.ts --update writes them)", () => {
  assert.equal(read("baseload.schema.json"), configJsonSchemaText());
  assert.equal(doc, withTables(doc, configTables(configJsonSchema())));
});

test("the documented example loads and the documented errors are the true ones", () => {
  const blocks = [...doc.matchAll(/```(yaml|text)[^\n]*\n(.*?)```/gs)].map((match) => match[2] ?? "");
  const [, good = "", bad = "", printed = ""] = blocks;
  assert.deepEqual(
    loadConfig(good, "baseload.yaml").warnings.map((line) => line.split(": ")[1]),
    [],
  );
  assert.throws(
    () => loadConfig(bad, "baseload.yaml"),
    (error) => error instanceof ConfigError && error.message === printed.trimEnd(),
  );
});

test("the schema is strict everywhere and describes every key", () => {
  const decimals = new Set<string>();
  walk(configJsonSchema(), "");
  assert.deepEqual([...decimals].toSorted(), [...DECIMAL_KEYS].toSorted());

  function walk(node: JsonSchemaNode, path: string): void {
    if (node.properties !== undefined) assert.equal(node.additionalProperties, false, path);
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      assert.ok((child.description ?? "").length > 0, `${path}.${key} has a description`);
      if (Array.isArray(child.type)) decimals.add(key);
      walk(child, `${path}.${key}`);
    }
    for (const child of [node.items, node.additionalProperties, ...(node.oneOf ?? []), ...(node.anyOf ?? [])]) {
      if (child) walk(child, path);
    }
  }
});
