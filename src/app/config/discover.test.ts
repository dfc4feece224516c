import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { ConfigError, loadConfig } from "./load.ts";

const config = (backend: string): string => `version: 1\nbackends:\n  vllm: ${backend}\n`;

function problem(backend: string): string {
  try {
    loadConfig(config(backend), "b.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return assert.fail("no problem is found");
}

test("a discovered backend is neither a backend nor an engine until its members are found", () => {
  const { config: loaded } = loadConfig(
    config("{ discover: { file: targets.json }, maxConcurrent: 3 }"),
    "conf/b.yaml",
  );
  assert.deepEqual([loaded.kernel.backends, loaded.engines], [[], []]);
  const [found] = loaded.discovered;
  assert.deepEqual(found?.source, { kind: "file", file: resolve("conf/targets.json") });
  assert.deepEqual([found?.everyMs, found?.keepMs, found?.scheme, found?.path], [30_000, 300_000, "http", "/v1"]);
  assert.equal(found?.backend.maxConcurrent, 3);
  const named = loadConfig(config("{ discover: { dns: vllm.default.svc, port: 8000 } }"), "b.yaml").config;
  assert.deepEqual(named.discovered[0]?.source, { kind: "dns", dns: "vllm.default.svc", port: 8000 });
});

test("what makes no sense is said", () => {
  assert.match(problem("{ discover: { dns: a.svc }, url: http://h/v1 }"), /url: url and discover are both given/);
  assert.match(problem("{ discover: {} }"), /discover: needs exactly one of dns and file/);
  assert.match(problem("{ discover: { dns: a, file: b } }"), /needs exactly one of dns and file/);
  assert.match(problem("{ discover: { file: b, port: 80 } }"), /discover\.port: a port goes with dns only/);
  assert.match(problem("{ discover: { dns: http://a.svc } }"), /discover\.dns: not a name that can be looked up/);
  assert.match(problem("{ discover: { dns: a.svc, path: v1/ } }"), /discover\.path: not a path/);
  assert.match(problem("{ discover: { dns: a.svc, prot: 1 } }"), /discover\.prot: unknown key → did you mean port\?/);
  assert.match(problem("{ models: [m] }"), /url: missing → give the base URL/);
});

test("a key that would travel unencrypted is warned of, and a site with members only is in use", () => {
  const text = `${config("{ discover: { dns: a.svc }, key: { env: K } }")}sites: { rack: { layer: enterprise } }\n`;
  assert.deepEqual(
    loadConfig(text, "b.yaml").warnings.map((line) => /warning: (.*) →/.exec(line)?.[1]),
    ["the key travels unencrypted"],
  );
});
