import assert from "node:assert/strict";
import { test } from "node:test";
import { mayUse, type ModelRules, rulesOf } from "./access.ts";

const rule = (allow: readonly string[] | null, ...deny: readonly string[]): ModelRules => ({ allow, deny });

test("without rules everything may be used, and an unknown tenant or key has none of its own", () => {
  const access = { acme: { ...rule(["a"]), keys: { narrow: rule(["b"]) } } };
  assert.deepEqual(rulesOf(access, { tenant: "other", key: "narrow" }), []);
  assert.deepEqual(rulesOf(access, { tenant: "constructor", key: null }), []);
  assert.equal(rulesOf(access, { tenant: "acme", key: "constructor" }).length, 1);
  assert.equal(rulesOf(access, { tenant: "acme", key: "narrow" }).length, 2);
  assert.equal(mayUse([], "x", "x"), true);
});

test("a key's rules narrow its tenant's, and what is denied stays denied", () => {
  const rules = [rule(["gpt-*", "llama"], "gpt-4*"), rule(["gpt-*"])];
  assert.equal(mayUse(rules, "gpt-5", "gpt-5"), true);
  assert.equal(mayUse(rules, "gpt-4o", "gpt-4o"), false);
  assert.equal(mayUse(rules, "llama", "llama"), false);
});

test("an alias may be allowed by its own name or its model's, and denied by either", () => {
  assert.equal(mayUse([rule(["fast"])], "fast", "gpt-5"), true);
  assert.equal(mayUse([rule(["gpt-5"])], "fast", "gpt-5"), true);
  assert.equal(mayUse([rule(["fast"])], "gpt-5", "gpt-5"), false);
  assert.equal(mayUse([rule(null, "gpt-5")], "fast", "gpt-5"), false);
  assert.equal(mayUse([rule(null, "fast")], "fast", "gpt-5"), false);
});
