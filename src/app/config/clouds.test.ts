import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { ConfigError, loadConfig } from "./load.ts";

const FOLDER = resolve("/etc/baseload");
const text = (...lines: readonly string[]): string =>
  ["version: 1", "backends:", "  main:", ...lines.map((line) => `    ${line}`)].join("\n");
const load = (...lines: readonly string[]) => loadConfig(text(...lines), `${FOLDER}/b.yaml`).config;

function problems(...lines: readonly string[]): readonly string[] {
  try {
    loadConfig(text(...lines), "b.yaml");
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test("AI Studio: the API's own address, its key, and models that are asked for", () => {
  const config = load("engine: gemini", "key: { env: GEMINI_KEY }");
  assert.deepEqual(config.engines, [
    {
      kind: "gemini",
      backendId: "main",
      url: "https://generativelanguage.googleapis.com",
      headers: {},
      onLoss: "refuse",
      key: { env: "GEMINI_KEY" },
      discoverModels: true,
      modelsAreOptional: false,
    },
  ]);
  const [backend] = config.kernel.backends;
  assert.equal(backend?.models, null);
  assert.ok(backend.endpoints.includes("chat") && backend.endpoints.includes("responses"));
  assert.ok(!backend.endpoints.includes("completions"));
});

test("Vertex AI: the address follows from the location, and paths start from the file's folder", () => {
  const more = ["project: p-1", "models: [gemini-3-pro]"];
  const [global] = load("engine: vertex", ...more, "serviceAccountFile: sa.json").engines;
  assert.deepEqual(global, {
    kind: "vertex",
    backendId: "main",
    url: "https://aiplatform.googleapis.com",
    headers: {},
    onLoss: "refuse",
    project: "p-1",
    location: "global",
    auth: { serviceAccountFile: resolve(FOLDER, "sa.json") },
  });
  const [regional] = load("engine: vertex", ...more, "location: europe-west4", "tokenFile: /run/token").engines;
  assert.ok(regional?.kind === "vertex");
  assert.equal(regional.url, "https://europe-west4-aiplatform.googleapis.com");
  assert.deepEqual(regional.auth, { tokenFile: resolve("/run/token") });
});

test("Bedrock: the address follows from the region, and credentials are a key or an access key", () => {
  const more = ["region: eu-central-1", "models: { claude: eu.anthropic.claude-sonnet-4-6 }", "onLoss: drop"];
  const pair = ["accessKeyId: { env: AWS_ID }", "secretAccessKey: { file: secret }"];
  const [signed] = load("engine: bedrock", ...more, ...pair).engines;
  assert.deepEqual(signed, {
    kind: "bedrock",
    backendId: "main",
    url: "https://bedrock-runtime.eu-central-1.amazonaws.com",
    headers: {},
    onLoss: "drop",
    region: "eu-central-1",
    auth: {
      accessKeyId: { env: "AWS_ID" },
      secretAccessKey: { file: resolve(FOLDER, "secret") },
      sessionToken: null,
    },
  });
  const [keyed] = load(
    "engine: bedrock",
    ...more,
    "key: { env: BEDROCK_KEY }",
    "url: https://proxy.example.com/",
  ).engines;
  assert.ok(keyed?.kind === "bedrock");
  assert.equal(keyed.url, "https://proxy.example.com");
  assert.deepEqual(keyed.auth, { key: { env: "BEDROCK_KEY" } });
});

test("a cloud has quotas and families like any backend that is charged for", () => {
  const config = load("engine: gemini", "key: { env: K }", "models: [gemini-*]", "quota: { tokensPerMinute: 1000000 }");
  assert.equal(config.kernel.backends[0]?.quota?.tokensPerMinute, 1_000_000);
  const [engine] = config.engines;
  assert.ok(engine?.kind === "gemini");
  assert.deepEqual([engine.discoverModels, engine.modelsAreOptional], [true, true]);
});

test("credentials are given once and in full, and never written in the file", () => {
  const bedrock = ["engine: bedrock", "region: eu-central-1", "models: [a]"];
  const either = "backends.main: needs either key, or accessKeyId and secretAccessKey";
  assert.deepEqual(problems(...bedrock), [either]);
  assert.deepEqual(problems(...bedrock, "accessKeyId: { env: A }"), [either]);
  assert.deepEqual(problems(...bedrock, "key: { env: A }", "sessionToken: { env: B }"), [either]);
  const vertex = ["engine: vertex", "project: p", "models: [a]"];
  const once = "backends.main: needs exactly one of serviceAccountFile and tokenFile";
  assert.deepEqual(problems(...vertex), [once]);
  assert.deepEqual(problems(...vertex, "serviceAccountFile: a", "tokenFile: b"), [once]);
  assert.deepEqual(problems("engine: gemini", "key: AIzaSyD-0000000000000000000000000000000"), [
    "backends.main.key: a key must not be written in this file",
  ]);
});

test("what a cloud cannot do without is missing, what it does not have is unknown, and its URL ends before the version", () => {
  assert.deepEqual(problems("engine: bedrock", "key: { env: A }", "models: [a]"), ["backends.main.region: missing"]);
  assert.deepEqual(problems("engine: vertex", "project: p", "tokenFile: t"), ["backends.main.models: missing"]);
  assert.deepEqual(problems("engine: gemini", "key: { env: A }", "endpoints: [chat]"), [
    "backends.main.endpoints: unknown key",
  ]);
  assert.deepEqual(problems("engine: gemini", "key: { env: A }", "url: https://example.com/v1beta"), [
    "backends.main.url: leads to a version of the API",
  ]);
});
