import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { defaultConfig, loadConfig } from "./load.ts";
import type { AppConfig } from "./types.ts";

const FOLDER = resolve("/etc/baseload");

function load(text: string): AppConfig {
  const { config, warnings } = loadConfig(text, `${FOLDER}/baseload.yaml`);
  assert.deepEqual(warnings, []);
  return config;
}

/** A file with one backend whose lines are given. */
function withBackend(...lines: string[]): string {
  return ["version: 1", "backends:", "  main:", ...lines.map((line) => `    ${line}`)].join("\n");
}

const SERVER_DEFAULTS = {
  host: "127.0.0.1",
  port: 8080,
  tls: null,
  maxBodyBytes: 33554432,
  maxAnswerBytes: 67108864,
  maxUrlBytes: 8192,
  maxHeaders: 100,
  maxHeaderBytes: 16384,
  maxJsonDepth: 256,
  uploadTimeoutMs: 30000,
  maxConnections: 10000,
  maxConnectionsPerClient: null,
  maxOpenRequests: 10000,
  trustedProxies: [],
  idempotencyKeepMs: 600000,
  idempotencyMaxBytes: 67108864,
  clientIdleMs: 60000,
  memoryLimitBytes: null,
  shutdownMs: 10000,
  defaultClass: "standard",
};

test("without a file there is one embedded backend with the tiny model, on loopback", () => {
  const config = defaultConfig();
  assert.deepEqual(config.engines, [
    {
      kind: "embedded",
      onLoss: "refuse",
      backendId: "embedded",
      model: null,
      modelName: "baseload-tiny",
      sequences: 4,
      contextTokens: null,
      threads: null,
    },
  ]);
  assert.deepEqual(config.kernel.sites, [
    {
      id: "local",
      layer: "device",
      jurisdiction: null,
      pueThousandths: null,
      electricityNanoUsdPerKwh: null,
      gridMilligramsPerKwh: null,
    },
  ]);
  assert.deepEqual(config.kernel.backends, [
    {
      id: "embedded",
      site: "local",
      models: { "baseload-tiny": "baseload-tiny" },
      endpoints: ["chat", "completions", "embeddings", "responses", "messages"],
      maxConcurrent: 4,
      quota: null,
      contextTokens: null,
      watts: null,
      price: null,
      drainMs: null,
      watch: {
        connectMs: 5000,
        headersMs: 60000,
        firstMs: 60000,
        idleMs: 30000,
        totalMs: 600000,
        progressEveryTokens: 256,
      },
    },
  ]);
});

test("without a file the limits are those of the documentation", () => {
  const config = defaultConfig();
  assert.deepEqual(config.server, SERVER_DEFAULTS);
  assert.deepEqual(config.kernel.limits, {
    maxQueued: 1024,
    queueTimeoutMs: 30000,
    maxAttempts: 3,
    maxUnsettled: 10000,
  });
  assert.deepEqual(config.kernel.cooldown, { firstMs: 1000, maxMs: 30000 });
  assert.deepEqual(Object.keys(config.kernel.classes), ["standard", "interactive", "batch"]);
  assert.deepEqual(config.kernel.classes["batch"], { ttftMs: null, tpotMs: null, e2eMs: null });
  assert.deepEqual(config.telemetry, { probeIntervalMs: 30000, requestLog: "none", logClientAddress: false });
  assert.deepEqual(config.tenants, []);
});

test("an openai backend: slash removed, key from the environment, models discovered", () => {
  const config = load(
    withBackend("url: https://api.example.com/v1//", "key: {env: UPSTREAM_KEY}", "headers: {X-Team: search}"),
  );
  assert.deepEqual(config.engines, [
    {
      kind: "openai",
      backendId: "main",
      url: "https://api.example.com/v1",
      key: { env: "UPSTREAM_KEY" },
      headers: { "x-team": "search" },
      discoverModels: true,
      speaks: ["chat", "completions", "embeddings"],
      onLoss: "refuse",
      modelsAreOptional: false,
    },
  ]);
  assert.equal(config.kernel.backends[0]?.models, null);
  assert.equal(config.kernel.backends[0]?.maxConcurrent, null);
});

test("what a backend has itself is told to its engine, and the conversations that follow from it to the kernel", () => {
  const config = load(withBackend("url: http://127.0.0.1/v1", "endpoints: [responses]", "onLoss: drop"));
  const [engine] = config.engines;
  assert.deepEqual(engine?.kind === "openai" && [engine.speaks, engine.onLoss], [["responses"], "drop"]);
  assert.deepEqual(config.kernel.backends[0]?.endpoints, ["responses", "chat", "messages"]);
  const text = load(withBackend("url: http://127.0.0.1/v1", "endpoints: [completions]"));
  assert.deepEqual(text.kernel.backends[0]?.endpoints, ["completions"]);
});

test("models are a list, a map or any", () => {
  const models = (line: string) => load(withBackend("url: http://127.0.0.1/v1", line)).kernel.backends[0]?.models;
  assert.deepEqual(models("models: [a, b]"), { a: "a", b: "b" });
  assert.deepEqual(models("models: {a: org/a}"), { a: "org/a" });
  assert.deepEqual(models('models: "*"'), { "*": "*" });
  assert.deepEqual(models('models: {a: org/a, "*": "*"}'), { a: "org/a", "*": "*" });
  assert.equal(load(withBackend("url: http://127.0.0.1/v1", "models: [a]")).engines[0]?.kind, "openai");
});

test("an embedded backend: path beside the file, name of the file, room as sequences", () => {
  const config = load(
    withBackend("engine: embedded", "model: models/Tiny-Q8.GGUF", "sequences: 2", "threads: 3", "contextTokens: 512"),
  );
  assert.deepEqual(config.engines, [
    {
      kind: "embedded",
      onLoss: "refuse",
      backendId: "main",
      model: { modelPath: resolve(FOLDER, "models/Tiny-Q8.GGUF"), storedName: null },
      modelName: "Tiny-Q8",
      sequences: 2,
      contextTokens: 512,
      threads: 3,
    },
  ]);
  assert.deepEqual(config.kernel.backends[0]?.models, { "Tiny-Q8": "Tiny-Q8" });
  assert.equal(config.kernel.backends[0]?.maxConcurrent, 2);
  assert.equal(config.kernel.backends[0]?.contextTokens, 512);
  assert.deepEqual(load(withBackend("engine: embedded", "name: mine")).kernel.backends[0]?.models, { mine: "mine" });
});

test("a llama-server: its program by path or on PATH, its model by path or by the name it was pulled under", () => {
  const config = load(withBackend("engine: llama-server", "binary: ../llama-server", "model: m-Q8", "sequences: 2"));
  assert.deepEqual(config.engines, [
    {
      kind: "llama-server",
      onLoss: "refuse",
      backendId: "main",
      binary: resolve(FOLDER, "../llama-server"),
      model: { modelPath: resolve(FOLDER, "m-Q8"), storedName: "m-Q8" },
      modelName: "m-Q8",
      sequences: 2,
      contextTokens: null,
      gpuLayers: null,
      args: [],
      speaks: ["chat", "completions", "embeddings"],
    },
  ]);
  assert.equal(config.kernel.backends[0]?.maxConcurrent, 2);
  const [plain] = load(withBackend("engine: llama-server", "model: m")).engines;
  assert.ok(plain?.kind === "llama-server" && plain.binary === "llama-server");
});

test("money and grid figures are exact integers, written as numbers or in quotes", () => {
  const config = load(`
version: 1
sites:
  berlin: {layer: enterprise, pue: 1.125, electricityUsdPerKwh: "0.21", gridGramsPerKwh: 344.5}
backends:
  main:
    url: http://127.0.0.1:8000/v1
    price:
      inputUsdPerMillion: 9007199.254740991
      cachedInputUsdPerMillion: 1e-9
      outputUsdPerMillion: '0.60'
`);
  assert.deepEqual(config.kernel.sites[0], {
    id: "berlin",
    layer: "enterprise",
    jurisdiction: null,
    pueThousandths: 1125,
    electricityNanoUsdPerKwh: 210_000_000,
    gridMilligramsPerKwh: 344_500,
  });
  assert.equal(config.kernel.backends[0]?.site, "berlin");
  assert.deepEqual(config.kernel.backends[0]?.price, {
    inputNanoUsdPerMillion: Number.MAX_SAFE_INTEGER,
    cachedInputNanoUsdPerMillion: 1,
    cacheWriteNanoUsdPerMillion: null,
    outputNanoUsdPerMillion: 600_000_000,
    reasoningNanoUsdPerMillion: null,
  });
});

test("classes are added to the three that always exist", () => {
  const config = load(`
version: 1
server: {defaultClass: night, cooldownFirstMs: 5, cooldownMaxMs: 5}
backends: {main: {engine: embedded}}
classes: {night: {e2eMs: 5000}, interactive: {ttftMs: 800}}
`);
  assert.deepEqual(Object.keys(config.kernel.classes), ["standard", "interactive", "batch", "night"]);
  assert.deepEqual(config.kernel.classes["interactive"], { ttftMs: 800, tpotMs: null, e2eMs: null });
  assert.equal(config.server.defaultClass, "night");
});

test("tenants' keys have a source each; paths start from the file's folder", () => {
  const config = load(`
version: 1
backends: {main: {engine: embedded}}
tenants:
  acme:
    keys:
      - {name: a, env: ACME_KEY}
      - {name: b, file: keys/b, admin: true}
      - {name: c, sha256: ${"AB".repeat(32)}}
`);
  assert.deepEqual(config.tenants, [
    {
      id: "acme",
      keys: [
        { name: "a", admin: false, source: { env: "ACME_KEY" } },
        { name: "b", admin: true, source: { file: resolve(FOLDER, "keys/b") } },
        { name: "c", admin: false, source: { sha256: "ab".repeat(32) } },
      ],
    },
  ]);
});

test("anchors and aliases work", () => {
  const config = load(`
version: 1
backends:
  a: {engine: embedded, watch: &slow {totalMs: 5}}
  b: {engine: embedded, watch: *slow}
`);
  assert.equal(config.kernel.backends[1]?.watch.totalMs, 5);
});

test("what is hardly meant is warned of, with its place", () => {
  const { warnings } = loadConfig(
    `version: 1
sites:
  here: {layer: device}
  there: {layer: cloud}
backends:
  main:
    site: here
    url: http://10.0.0.1/v1
    key: {env: KEY}
    headers: {x-api-key: abc}
  small: {site: here, engine: embedded, maxConcurrent: 9}
telemetry: {logClientAddress: true}
`,
    "b.yaml",
  );
  assert.deepEqual(warnings, [
    "b.yaml:4:3: sites.there: warning: no backend stands at this site → remove it, or name it in a backend's site",
    "b.yaml:8:5: backends.main.url: warning: the key travels unencrypted → use https, unless the network is trusted",
    "b.yaml:10:5: backends.main.headers: warning: the header x-api-key may be a secret, and this file shows it → use key: if the backend takes a bearer token",
    "b.yaml:11:41: backends.small.maxConcurrent: warning: more than sequences, so requests wait inside the engine → raise sequences or lower it",
    "b.yaml:12:13: telemetry.logClientAddress: warning: there is no request log → set requestLog, or remove it",
  ]);
});

test("a quota is the kernel's, with the most requests at once the lower of both limits", () => {
  const backend = (...lines: readonly string[]) =>
    load(withBackend("url: http://127.0.0.1/v1", ...lines)).kernel.backends[0];
  assert.equal(backend()?.quota, null);
  const quota = "quota: {requestsPerMinute: 60, tokensPerDay: 1000000, concurrent: 8}";
  assert.deepEqual(backend(quota)?.quota, {
    requestsPerMinute: 60,
    tokensPerMinute: null,
    requestsPerDay: null,
    tokensPerDay: 1_000_000,
    assumedOutputTokens: 1024,
  });
  assert.deepEqual(
    [backend(quota), backend(quota, "maxConcurrent: 4"), backend("maxConcurrent: 4"), backend()].map(
      (each) => each?.maxConcurrent,
    ),
    [8, 4, 4, null],
  );
});
