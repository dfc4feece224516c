import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, loadConfig } from "./load.ts";
import type { AppConfig } from "./types.ts";

const BACKENDS = `version: 1
backends:
  one: { url: http://127.0.0.1/v1, models: [llama, "gpt-*"] }
  two: { engine: embedded, name: tiny }
`;

function problems(text: string): readonly string[] {
  try {
    loadConfig(text, "b.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return [];
}

const models = (section: string): readonly string[] => problems(`${BACKENDS}models: ${section}\n`);
const kernelOf = (section: string): AppConfig["kernel"] =>
  loadConfig(`${BACKENDS}${section}\n`, "b.yaml").config.kernel;

test("a model's card is taken as it is written, and what is not written is unknown", () => {
  const { models: cards } = kernelOf(
    "models: { llama: { contextTokens: 8192, modalities: { input: [text] }, capabilities: { tools: false } } }",
  );
  assert.deepEqual(cards, {
    llama: {
      contextTokens: 8192,
      maxOutputTokens: null,
      inputModalities: ["text"],
      outputModalities: null,
      capabilities: { tools: false },
      description: null,
      ownedBy: null,
    },
  });
});

test("aliases come to models in the end, each once, in the order in which they are written", () => {
  const { aliases, models: cards } = kernelOf(
    "models: { llama: { aliases: [l, local] }, best: { aliasOf: [gpt-5, fallback] }, fallback: { aliasOf: [l, tiny, local] } }",
  );
  assert.deepEqual(aliases, {
    l: ["llama"],
    local: ["llama"],
    best: ["gpt-5", "llama", "tiny"],
    fallback: ["llama", "tiny"],
  });
  assert.deepEqual(Object.keys(cards), ["llama"]);
});

test("an alias with two meanings is an error where it is written", () => {
  assert.deepEqual(models("{ llama: { aliases: [x] }, tiny: { aliases: [x] } }"), [
    'b.yaml:5:54: models.tiny.aliases[0]: the name "x" has two meanings in models → give the alias a name of its own',
  ]);
  assert.match(models("{ llama: { aliases: [y] }, y: { contextTokens: 1 } }")[0] ?? "", /"y" has two meanings/);
  assert.match(models("{ llama: { aliases: [tiny] } }")[0] ?? "", /the backend "two" has a model of this name/);
  assert.match(models("{ tiny: { aliasOf: llama } }")[0] ?? "", /b\.yaml:5:11: models\.tiny: the backend "two"/);
});

test("an alias that leads back to itself is told once, with the way that it takes", () => {
  assert.deepEqual(models("{ a: { aliasOf: b }, b: { aliasOf: [llama, c] }, c: { aliasOf: a } }"), [
    "b.yaml:5:11: models.a: the alias leads back to itself: a → b → c → a → let it end at a model",
  ]);
  assert.match(models("{ a: { aliasOf: a } }")[0] ?? "", /a → a/);
});

test("an alias must lead to a model that some backend has, if that can be known", () => {
  assert.deepEqual(models("{ a: { aliasOf: [lama, gpt-9, tiny] } }"), [
    'b.yaml:5:26: models.a.aliasOf[0]: no backend has a model "lama" → did you mean llama?',
  ]);
  assert.match(models("{ a: { aliasOf: entirely-other } }")[0] ?? "", /add it to a backend's models/);
  const asked = `version: 1\nbackends: { one: { url: http://127.0.0.1/v1 } }\nmodels: { a: { aliasOf: anything } }\n`;
  assert.deepEqual(problems(asked), []);
});

test("an alias has nothing of its own, and a model's name has no star", () => {
  assert.match(models("{ a: { aliasOf: llama, contextTokens: 5 } }")[0] ?? "", /an alias has nothing of its own/);
  assert.match(models('{ "gpt-*": { contextTokens: 5 } }')[0] ?? "", /a family of names cannot stand here/);
  assert.match(models('{ llama: { aliases: ["l*"] } }')[0] ?? "", /a family of names cannot stand here/);
});

test("a family has its star at the end, and the backend's name has one only where the client's has", () => {
  const of = (list: string): string =>
    problems(`version: 1\nbackends: { a: { url: http://h/v1, models: ${list} } }\n`)[0] ?? "";
  assert.equal(of('{ "a/*": "b/*-x", "*": "c/*", "d*": e }'), "");
  assert.match(of('["g*t"]'), /2:\d+: backends\.a\.models\[0\]: a star stands for the rest of a name/);
  assert.match(of('{ "a*": "b*c*" }'), /several stars/);
  assert.match(of('{ a: "b*" }'), /nothing stands for the star/);
});

test("a tenant's and a key's models are rules for the kernel; a star in the middle is an error", () => {
  const tenants = (rules: string, key = ""): string =>
    `tenants: { acme: { ${rules} keys: [{ name: k, env: K ${key} }] }, other: { keys: [{ name: k, env: L }] } }`;
  assert.deepEqual(kernelOf(tenants('models: ["gpt-*"],', ", denyModels: [gpt-4]")).access, {
    acme: { allow: ["gpt-*"], deny: [], keys: { k: { allow: null, deny: ["gpt-4"] } } },
  });
  assert.deepEqual(kernelOf(tenants("")).access, {});
  assert.match(
    problems(`${BACKENDS}${tenants("", ', denyModels: ["*x"]')}\n`)[0] ?? "",
    /keys\[0\]\.denyModels\[0\]: a star/,
  );
});

test("members of a family are asked of the backend; any name at all, or names alone, are not", () => {
  const discovers = (list: string): unknown => {
    const { config } = loadConfig(`version: 1\nbackends: { a: { url: http://h/v1, models: ${list} } }\n`, "b.yaml");
    const [engine] = config.engines;
    return engine?.kind === "openai" ? [engine.discoverModels, engine.modelsAreOptional] : null;
  };
  assert.deepEqual(discovers("[a]"), [false, true]);
  assert.deepEqual(discovers('"*"'), [false, true]);
  assert.deepEqual(discovers('{ "*": "a/*" }'), [false, true]);
  assert.deepEqual(discovers('[a, "b/*"]'), [true, true]);
});

test("what is said of a model that no backend has is probably meant for another", () => {
  const warnings = (section: string): readonly string[] =>
    loadConfig(`${BACKENDS}models: ${section}\n`, "b.yaml").warnings;
  assert.deepEqual(warnings("{ lama: { contextTokens: 5 }, gpt-5: { contextTokens: 5 } }"), [
    "b.yaml:5:11: models.lama: warning: no backend has a model of this name → did you mean llama?",
  ]);
  const asked = "version: 1\nbackends: { a: { url: http://127.0.0.1/v1 } }\nmodels: { any: { contextTokens: 5 } }\n";
  assert.deepEqual(loadConfig(asked, "b.yaml").warnings, []);
});
