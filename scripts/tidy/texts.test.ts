import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFences, fencesOf } from "./fences.ts";
import { checkPaths } from "./paths.ts";
import { sourceOf } from "./source.ts";
import { checkSkips, checkTexts } from "./texts.ts";

// Samples are put together here, so that this file does not trip the rules that it tests.
const slashed = (name: string): string => ["", name, "main"].join("/");

test("paths of one machine and unfinished marks fail", () => {
  const judge = (text: string): number => checkTexts([{ path: "a.md", text }]).length;
  for (const name of ["work", "root", "home"]) assert.equal(judge(`see ${slashed(name)}`), 1, name);
  for (const halves of [
    ["TO", "DO"],
    ["FIX", "ME"],
    ["XX", "X"],
  ])
    assert.equal(judge(`// ${halves.join("")}: later`), 1);
  for (const text of [
    "/v1/models",
    "src/work/a.ts",
    `https://example.org${slashed("home")}`,
    "~/.baseload",
    "mastodon",
  ]) {
    assert.equal(judge(text), 0, text);
  }
  assert.equal(checkTexts([{ path: "a.md", text: `one\ntwo ${slashed("work")}` }])[0]?.line, 2);
});

test("tests that run alone or are skipped without a reason fail", () => {
  const judge = (text: string): number => checkSkips([sourceOf("src/base/x.test.ts", text)]).length;
  for (const text of [
    'test.only("a", f);',
    'it.skip("a", f);',
    'test("a", { skip: true }, f);',
    "t.skip();",
    "test('a', { only: true }, f);",
  ]) {
    assert.equal(judge(text), 1, text);
  }
  for (const text of [
    'test("a", { skip: "no bash here" }, f);',
    't.skip("no GPU");',
    "// test.only(",
    "reader.skip(4);",
  ]) {
    assert.equal(judge(text), 0, text);
  }
  assert.equal(checkSkips([sourceOf("src/base/x.ts", "a.only(b);")]).length, 0);
});

const MARK = "```";

test("fences are read with language, check, reason, line and code", () => {
  const text = `a\n${MARK}sh check\nx\n${MARK}\n  ${MARK}ts no-check="two words"\n  y\n    z\n  ${MARK}\n~~~\n${MARK}\n~~~\n`;
  const fences = fencesOf("a.md", text);
  assert.deepEqual(
    fences.map(({ line, language, check, reason, code }) => [line, language, check, reason, code]),
    [
      [2, "sh", true, null, "x"],
      [5, "ts", false, "two words", "y\n  z"],
      [9, "", false, null, MARK],
    ],
  );
});

test("blocks of code that nothing runs must say why", () => {
  const judge = (info: string): number => checkFences(fencesOf("a.md", `${MARK}${info}\nx\n${MARK}\n`)).length;
  for (const info of [
    "sh check",
    "ts check",
    "yaml check",
    "json check",
    "sh no-check=starts-a-server",
    "json",
    "yaml",
    "text",
    "",
  ]) {
    assert.equal(judge(info), 0, info);
  }
  for (const info of [
    "sh",
    "bash",
    "ts",
    "typescript",
    "js",
    "python check",
    "bash check",
    "sh no-check=",
    "sh unchecked",
  ]) {
    assert.equal(judge(info), 1, info);
  }
});

test("the paths that ARCHITECTURE.md tells to open exist", () => {
  const judge = (row: string): number =>
    checkPaths(import.meta.dirname, `# A\n\n| To change | open |\n|---|---|\n| x | ${row} |\n\n\`no/such.ts\``).length;
  for (const row of [
    "`paths.ts`",
    "`./paths.ts`, `../tidy/*.ts`",
    "`npm run a/b`",
    "`/v1/models`",
    "`@scope/name`",
    "`word`",
  ]) {
    assert.equal(judge(row), 0, row);
  }
  for (const row of ["`gone.ts`", "`gone/`", "`paths.ts`, `gone.md`", "`*.gone/x`"]) assert.equal(judge(row), 1, row);
  assert.equal(checkPaths(".", null).length, 1);
  assert.equal(checkPaths(".", "# no table").length, 1);
});
