import assert from "node:assert/strict";
import { test } from "node:test";
import { measureSources } from "./measures.ts";
import { type Exceptions, type Measure, checkRatchet } from "./ratchet.ts";
import { sourceOf } from "./source.ts";

const judge = (text: string, path = "src/base/x.ts"): readonly string[] =>
  checkRatchet(measureSources([sourceOf(path, text)]), {}).map(({ rule, line }) => `${rule}:${line}`);

const body = (lines: number): string => `function f() {\n${"  1;\n".repeat(lines - 2)}}\n`;

test("long files and long functions", () => {
  assert.deepEqual(judge("\n".repeat(500)), []);
  assert.deepEqual(judge("\n".repeat(501)), ["file-lines:1"]);
  assert.deepEqual(judge(`\n${body(70)}`), []);
  assert.deepEqual(judge(`\n${body(71)}`), ["function-lines:2"]);
  const long = `("x", () => {\n${"  1;\n".repeat(80)}});\n`;
  assert.deepEqual(judge(`test${long}`, "src/base/x.test.ts"), ["function-lines:1"]);
  assert.deepEqual(judge(`describe${long}`, "src/base/x.test.ts"), []);
});

test("more than three parameters", () => {
  assert.deepEqual(judge("const f = (a: 1, b: 2, c: 3) => 1;"), []);
  assert.deepEqual(judge("\nconst f = (a: 1, b: 2, c: 3, d: 4) => 1;"), ["parameters:2"]);
});

test("more than seven exports, types not counted, a function's overloads once", () => {
  const names = [..."abcdefgh"];
  const some = (count: number): string =>
    names
      .slice(0, count)
      .map((name) => `/** X. */\nexport const ${name} = 1;\n`)
      .join("");
  assert.deepEqual(judge(some(7)), []);
  assert.deepEqual(judge(some(8)), ["exports:1"]);
  assert.deepEqual(
    judge(`${some(7)}export type T = 1;\nexport interface I {}\nexport type { A, B } from "./b.ts";\n`),
    [],
  );
  assert.deepEqual(judge(`${some(6)}export { x, y, type Z };\n`), ["exports:1"]);
  assert.deepEqual(judge(`${some(6)}/** X. */\nexport function o(a: 1): void;\nexport function o(a: 2): void;\n`), []);
});

test("the type any", () => {
  for (const text of [
    "let a: any;",
    "const a: any = b;",
    "b as any;",
    "new Map<string, any>();",
    "f<any>();",
    "type A = any;",
    "let a: string | any;",
  ]) {
    assert.deepEqual(judge(`\n${text}`), ["any:2"], text);
  }
  for (const text of [
    "Promise.any(x);",
    "if (a && any !== b || any) c;",
    "const any = 1;",
    "// any: any",
    '"x as any"',
    "let many: string;",
    "({ any: 1 });",
  ]) {
    assert.deepEqual(judge(text), [], text);
  }
});

test("exports without a docstring directly before them", () => {
  assert.deepEqual(judge("/** Says. */\nexport const a = 1;\n/**\n * Says.\n */\nexport async function b() {}\n"), []);
  assert.deepEqual(judge("export type A = 1;\nexport interface B {}\n"), []);
  for (const text of ["", "// no\n", "/* no */\n", "/** Too far. */\n\n", "/** Another's. */\nconst b = 1;\n"]) {
    assert.equal(judge(`${text}export class A {}\n`).length, 1, text);
  }
  assert.deepEqual(judge("export const a = 1;\n", "src/base/x.test.ts"), []);
});

test("an exception may only shrink", () => {
  const measure = (value: number): readonly Measure[] => [
    {
      rule: "file-lines",
      key: "a.ts",
      file: "a.ts",
      line: 1,
      value,
      limit: 500,
      what: `${value} lines`,
      instead: "split it",
    },
  ];
  const outcome = (value: number, exceptions: Exceptions): readonly string[] =>
    checkRatchet(measure(value), exceptions).map(({ instead }) => instead);
  const listed = { "file-lines": { "a.ts": 600 } };
  assert.deepEqual(outcome(500, {}), []);
  assert.deepEqual(outcome(600, {}), ["split it"]);
  assert.deepEqual(outcome(600, listed), []);
  assert.deepEqual(outcome(601, listed), ["split it"]);
  assert.deepEqual(outcome(599, listed), ['lower the entry to 599 under "file-lines"']);
  assert.deepEqual(outcome(500, listed), ['remove the entry under "file-lines"']);
  assert.deepEqual(outcome(500, { "file-lines": { "gone.ts": 600 } }), ['remove the entry under "file-lines"']);
});
