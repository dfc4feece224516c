import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, loadConfig } from "./load.ts";

const START = "version: 1\nbackends: { local: { engine: embedded } }\n";
const KEYS = "keys: [{ name: main, env: KEY }]";
const runsOf = (text: string) => loadConfig(START + text, "baseload.yaml").config.kernel.runs;

describe("what holds for runs", () => {
  test("is no limit but the loop guard's where nothing is written", () => {
    const { defaults, ...rest } = runsOf("");
    const none = { maxSteps: null, maxTokens: null, maxCostNanoUsd: null, maxEnergyMilliJoules: null, maxWallMs: null };
    assert.deepEqual(defaults, { limits: { ...none, maxSameCalls: 3 }, maxOutputTokens: 4096, unknown: "refuse" });
    assert.deepEqual(rest, { tenants: {}, maxKept: 1000, idleMs: 3_600_000 });
  });

  test("is exact in the units that are counted in", () => {
    const { limits } = runsOf(
      "runs: { maxSteps: 50, maxTokens: 9, maxUsd: 0.1, maxJoules: 2.5, maxSeconds: 60 }",
    ).defaults;
    assert.deepEqual(limits, {
      maxSteps: 50,
      maxTokens: 9,
      maxCostNanoUsd: 100_000_000,
      maxEnergyMilliJoules: 2500,
      maxWallMs: 60_000,
      maxSameCalls: 3,
    });
  });

  test("is a tenant's own key by key, and the common for the rest", () => {
    const { defaults, tenants } = runsOf(`
runs: { maxSteps: 50, maxUsd: 1, unknown: allow }
tenants:
  plain: { ${KEYS} }
  strict: { keys: [{ name: main, env: OTHER }], runs: { maxSteps: 5, maxSameCalls: 0, maxOutputTokens: 10, unknown: refuse } }
`);
    assert.deepEqual(Object.keys(tenants), ["strict"]);
    assert.deepEqual(tenants["strict"], {
      limits: { ...defaults.limits, maxSteps: 5, maxSameCalls: null },
      maxOutputTokens: 10,
      unknown: "refuse",
    });
  });

  test("is refused in words where it makes no sense", () => {
    const problemsOf = (text: string): string => {
      try {
        runsOf(text);
      } catch (error) {
        return error instanceof ConfigError ? error.message : assert.fail(String(error));
      }
      return "";
    };
    assert.match(problemsOf("runs: { maxSteps: 0 }"), /runs\.maxSteps: must be at least 1/);
    assert.match(problemsOf("runs: { maxUsd: $1 }"), /runs\.maxUsd: not a decimal number/);
    assert.match(problemsOf("runs: { unknown: guess }"), /runs\.unknown: must be one of refuse, allow/);
    assert.match(
      problemsOf(`tenants: { a: { ${KEYS}, runs: { maxKept: 3 } } }`),
      /tenants\.a\.runs\.maxKept: unknown key/,
    );
  });
});
