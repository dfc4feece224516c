import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf } from "./imports.ts";
import { LAYERS, checkLayers } from "./layers.ts";
import { sourceOf } from "./source.ts";

const judge = (path: string, text: string): readonly string[] =>
  checkLayers([sourceOf(path, text)]).map(({ what }) => what);

test("every form of import is seen, with whether it is gone at run time", () => {
  const text = [
    'import a from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import { type C } from "./c.ts";',
    'import {\n  d,\n} from "./d.ts";',
    'export * from "./e.ts";',
    'export type { F } from "./f.ts";',
    'import "./g.ts";',
    'const h = await import("./h.ts");',
    'type I = typeof import("./i.ts");',
    'import type from "./j.ts";',
    "export const notAnImport = 1;",
    'const text = "from";',
    '// import k from "./k.ts";',
  ].join("\n");
  const seen = importsOf(sourceOf("src/base/x.ts", text)).map(
    (each) => `${each.specifier}${each.typeOnly ? " type" : ""}`,
  );
  const expected = ["a", "b type", "c", "d", "e", "f type", "g", "j", "h", "i type"];
  assert.deepEqual(
    seen,
    expected.map((each) => each.replace(/^./, "./$&.ts")),
  );
});

test("what the table allows passes", () => {
  const good: readonly (readonly [string, string])[] = [
    ["src/cost/x.ts", 'import { a } from "../base/a.ts"; import { b } from "./b.ts";'],
    ["src/kernel/x.ts", 'import { a } from "../dispatch/a.ts";'],
    ["src/gateway/x.ts", 'import type { A } from "../kernel/a.ts";\nimport { b } from "undici";'],
    ["src/live/x.ts", 'import { a } from "../audit/codec.ts";\nimport type { B } from "../ledger/posting.ts";'],
    ["src/audit/x.ts", 'import { createHash } from "node:crypto";'],
    ["src/app/cli/x.ts", 'import { a } from "../../live/a.ts";'],
    [
      "src/kernel/x.test.ts",
      'import { a } from "../sim/a.ts";\nimport { b } from "../../test/b.ts";\nimport t from "node:test";',
    ],
    ["src/base/x.test.ts", 'import fc from "fast-check";'],
    ["console/src/x.ts", 'import type { A } from "../../src/wire/a.ts";'],
    ["src/base/x.ts", '// import { a } from "../kernel/a.ts"\nconst b = \'import c from "node:fs"\';'],
  ];
  for (const [path, text] of good) assert.deepEqual(judge(path, text), [], path);
});

test("what the table does not allow fails", () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ["src/base/x.ts", 'import { a } from "../cost/a.ts";', "base may not import cost"],
    ["src/base/x.ts", 'import type { A } from "../kernel/a.ts";', "base may not import kernel"],
    ["src/audit/verify.ts", 'import { a } from "../ledger/a.ts";', "audit may not import ledger"],
    ["src/gateway/x.ts", 'import { a } from "../kernel/a.ts";', "gateway may not import values of kernel"],
    ["src/gateway/x.ts", 'import { type A } from "../kernel/a.ts";', "gateway may not import values of kernel"],
    ["src/live/x.ts", 'import { a } from "../sim/a.ts";', "live may not import sim"],
    ["src/live/x.ts", 'import { a } from "../ledger/posting.ts";', "live may not import values of ledger"],
    ["src/kernel/x.ts", 'import { a } from "../sim/a.ts";', "kernel may not import sim"],
    ["src/kernel/x.ts", 'import { a } from "../../test/a.ts";', "kernel may not import test"],
    ["src/dispatch/x.ts", 'import { a } from "node:fs";', "dispatch may not import node:fs"],
    ["src/audit/x.ts", 'import { a } from "node:fs";', "audit may not import node:fs"],
    ["src/wire/x.ts", 'import { z } from "zod";', "wire may not import zod"],
    ["src/base/x.test.ts", 'import net from "node:net";', "base may not import node:net"],
    ["src/ledger/x.test.ts", 'import { a } from "../sim/a.ts";', "ledger may not import sim"],
    ["examples/x.ts", 'const a = await import("../src/base/a.ts");', "examples may not import base"],
    ["src/other/x.ts", "", 'the folder "other" is in no layer'],
    ["src/toString/x.ts", "", 'the folder "toString" is in no layer'],
  ];
  for (const [path, text, what] of bad) assert.deepEqual(judge(path, text), [what], `${path}: ${text}`);
});

test("the table itself has no circle among values, and live and sim never see each other", () => {
  const below = (name: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(name), [...trail, name].join(" → "));
    for (const next of LAYERS[name]?.values ?? []) below(next, [...trail, name]);
  };
  for (const name of Object.keys(LAYERS)) if (name !== "test" && name !== "scripts") below(name, []);
  assert.ok(!LAYERS["live"]?.values.includes("sim") && !LAYERS["sim"]?.values.includes("live"));
});
