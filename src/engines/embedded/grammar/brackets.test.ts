import assert from "node:assert/strict";
import { test } from "node:test";
import { isTooDeep } from "./brackets.ts";

const deep = (open: string, close: string, times: number): string =>
  `root ::= ${open.repeat(times)}"a"${close.repeat(times)}`;

test("brackets are counted where they mean something, and nowhere else", () => {
  assert.ok(!isTooDeep(deep("(", ")", 100)));
  assert.ok(isTooDeep(deep("(", ")", 101)));
  assert.ok(!isTooDeep(`root ::= ${'("a") '.repeat(500)}`));
  const open = "(".repeat(500);
  for (const text of [`"${open}"`, `"\\"${open}"`, `[${open}]`, `[\\]${open}]`, `"a" # ${open}\n`])
    assert.ok(!isTooDeep(`root ::= ${text}`), text.slice(0, 12));
  assert.ok(isTooDeep(`root ::= "\\\\" [\\]] ${open}`));
  assert.ok(isTooDeep(`root ::= "a" # "\nb ::= ${open}`));
});
