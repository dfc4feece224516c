import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCycles } from "./cycles.ts";
import { sourceOf } from "./source.ts";

const judge = (files: Readonly<Record<string, string>>): readonly string[] =>
  checkCycles(Object.entries(files).map(([path, text]) => sourceOf(path, text))).map(({ what }) => what);

test("a circle of run-time imports is found, across folders too", () => {
  const found = judge({
    "src/a/a.ts": 'import "../b/b.ts";',
    "src/b/b.ts": 'import "./c.ts";',
    "src/b/c.ts": 'export { x } from "../a/a.ts";',
  });
  assert.deepEqual(found, ["imports in a circle: src/a/a.ts → src/b/b.ts → src/b/c.ts → src/a/a.ts"]);
  assert.equal(judge({ "src/a/a.ts": 'import "./a.ts";' }).length, 1);
});

test("a circle that types close, and a diamond, are none", () => {
  assert.deepEqual(judge({ "src/a/a.ts": 'import "./b.ts";', "src/a/b.ts": 'import type { A } from "./a.ts";' }), []);
  const diamond = {
    "src/a/a.ts": 'import "./b.ts";\nimport "./c.ts";',
    "src/a/b.ts": 'import "./d.ts";',
    "src/a/c.ts": 'import "./d.ts";',
    "src/a/d.ts": "",
  };
  assert.deepEqual(judge(diamond), []);
});
