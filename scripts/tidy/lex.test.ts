import assert from "node:assert/strict";
import { test } from "node:test";
import { lex } from "./lex.ts";

const words = (text: string): readonly string[] => lex(text).code.match(/\w+/g) ?? [];

test("comments, strings, templates and regular expressions are blanked; code inside templates stays", () => {
  const samples: readonly (readonly [string, readonly string[]])[] = [
    ["a // no\nb", ["a", "b"]],
    ["a /* no\nno */ b", ["a", "b"]],
    [`a("no\\"no") + 'no' + b`, ["a", "b"]],
    ["a(`no ${b(`no ${c} no`)} no { no`) + d", ["a", "b", "c", "d"]],
    ["`${{ a: { b } }} no` + c", ["a", "b", "c"]],
    ["a(/no['\"/]no/g, b)", ["a", "b"]],
    ['return /no"/.test(a)', ["return", "test", "a"]],
    ["a / b / c // no", ["a", "b", "c"]],
    ["(a) / 2 + '/no/'", ["a", "2"]],
    ['const a = "no\n; b', ["const", "a", "b"]],
    ["a`no` / b", ["a", "b"]],
  ];
  for (const [text, expected] of samples) assert.deepEqual(words(text), expected, text);
});

test("code has the text's length and lines", () => {
  const text = "a /* x\ny */ + `p\n${q}\n` // é";
  const { code, comments } = lex(text);
  assert.equal(code.length, text.length);
  assert.equal(code.split("\n").length, text.split("\n").length);
  assert.deepEqual(
    comments.map(({ start, end }) => text.slice(start, end)),
    ["/* x\ny */", "// é"],
  );
});

test("text that ends inside a comment, a string or a template ends", () => {
  for (const text of ["a /* b", 'a "b', "a `b", "a `b ${c"]) assert.equal(lex(text).code.length, text.length, text);
});
