import assert from "node:assert/strict";
import { test } from "node:test";
import type { Finding } from "./finding.ts";
import { checkDeclared, checkLockfile, checkReasons, checkVersions } from "./packages.ts";
import { sourceOf } from "./source.ts";

const whats = (findings: readonly Finding[]): readonly string[] => findings.map(({ what }) => what);
const print = (value: unknown): string => JSON.stringify(value, null, 2);

test("versions are exact, aliases and overrides too", () => {
  const good = {
    dependencies: { a: "1.2.3" },
    devDependencies: { b: "npm:c@1.2.3-beta.1" },
    overrides: { d: { e: "1.0.0" } },
  };
  assert.deepEqual(checkVersions(print(good)), []);
  for (const version of ["^1.2.3", "~1.2.3", "1.x", "latest", "*", "npm:c@^1.0.0", "", "git+ssh://host/a"]) {
    assert.equal(checkVersions(print({ dependencies: { a: version } })).length, 1, version);
  }
  const [finding] = checkVersions(print({ overrides: { d: { e: ">=1" } } }));
  assert.equal(finding?.line, 4);
});

test("every dependency has a reason", () => {
  const manifest = print({
    dependencies: { "@a/b": "1.0.0" },
    optionalDependencies: { c: "1.0.0" },
    devDependencies: { d: "1.0.0" },
  });
  const table = "| package | why |\n|---|---|\n| `@a/b` | fast |\n| `c`, `d` | needed |\n";
  assert.deepEqual(checkReasons(manifest, table), []);
  assert.equal(checkReasons(manifest, null).length, 3);
  assert.deepEqual(whats(checkReasons(manifest, table.replace("needed", " "))), [
    "c has no reason in ARCHITECTURE.md",
    "d has no reason in ARCHITECTURE.md",
  ]);
  assert.equal(checkReasons(manifest, table.replace("`@a/b`", "@a/b")).length, 1);
});

test("what is imported is declared, and what src runs is no development dependency", () => {
  const manifest = print({ dependencies: { a: "1.0.0" }, devDependencies: { "@d/d": "1.0.0" } });
  const judge = (path: string, text: string): readonly string[] =>
    whats(checkDeclared([sourceOf(path, text)], manifest));
  assert.deepEqual(
    judge("src/live/x.ts", 'import a from "a/deep";\nimport type { D } from "@d/d";\nimport fs from "node:fs";'),
    [],
  );
  assert.deepEqual(judge("src/live/x.ts", 'import d from "@d/d";'), ["@d/d is only a development dependency"]);
  assert.deepEqual(judge("src/live/x.test.ts", 'import d from "@d/d";'), []);
  assert.deepEqual(judge("scripts/x.ts", 'import fs from "fs";'), ["fs is not in package.json"]);
});

const manifest = { dependencies: { a: "1.0.0" } };
const locked = (packages: object): string => print({ lockfileVersion: 3, packages: { "": manifest, ...packages } });
const judgeLock = (packages: object): readonly string[] => whats(checkLockfile(locked(packages), print(manifest)));

test("a lockfile without addresses passes, sponsors' addresses left alone", () => {
  const funding = [{ type: "x", url: "https://example.org/a" }, "https://example.org/b"];
  const entry = { version: "1.0.0", integrity: "sha512-x", funding, license: "MIT" };
  assert.deepEqual(judgeLock({ "node_modules/a": entry, "node_modules/b": { funding: "https://example.org" } }), []);
});

test("a lockfile with addresses fails", () => {
  const url = "https://example.org/a.tgz";
  assert.deepEqual(judgeLock({ "node_modules/a": { resolved: url } }), ["a `resolved` address"]);
  assert.deepEqual(judgeLock({ "node_modules/a": { version: url } }), ["an http address"]);
  assert.deepEqual(judgeLock({ "node_modules/a": { funding: { url }, version: url } }), ["an http address"]);
});

test("an optional dependency without an entry fails, wherever Node would look for it", () => {
  const a = { optionalDependencies: { o: "1.0.0" } };
  assert.equal(judgeLock({ "node_modules/a": a }).length, 1);
  assert.deepEqual(judgeLock({ "node_modules/a": a, "node_modules/o": {} }), []);
  assert.deepEqual(judgeLock({ "node_modules/a": a, "node_modules/a/node_modules/o": {} }), []);
  assert.deepEqual(judgeLock({ "node_modules/b/node_modules/a": a, "node_modules/b/node_modules/o": {} }), []);
  assert.equal(judgeLock({ "node_modules/b/node_modules/a": a, "node_modules/c/node_modules/o": {} }).length, 1);
});

test("a lockfile that is out of step with package.json fails", () => {
  const found = whats(checkLockfile(locked({}), print({ dependencies: { a: "1.0.1" } })));
  assert.deepEqual(found, ["its dependencies are not those of package.json, so npm ci fails"]);
});
