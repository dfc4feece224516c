import assert from "node:assert/strict";
import { test } from "node:test";
import { functionsOf } from "./functions.ts";
import { lex } from "./lex.ts";

const seen = (text: string): readonly string[] =>
  functionsOf(lex(text).code).map((each) => `${each.name}/${each.parameters}`);

test("functions, methods and arrows are found with their parameters", () => {
  const samples: readonly (readonly [string, readonly string[]])[] = [
    ["function a(b: number, c = 2): void {}", ["a/2"]],
    ["export async function* a<T extends Map<string, number>>(b: T): AsyncGenerator<T> {}", ["a/1"]],
    ["const a = (b: Map<string, number>, { c, d }: { c: 1; d: 2 }, ...e: string[]) => 1;", ["a/3"]],
    ["const a = async (): Promise<void> => {};", ["a/0"]],
    ["const a = (b: string): { c: string } => ({ c: b });", ["a/1"]],
    [
      "class A { constructor(a: 1, b: 2) {} async b(): Promise<{ c: 1 }> {} #c(d: 1,): void {} get e() { return 1; } }",
      ["constructor/2", "b/0", "#c/1", "e/0"],
    ],
    [
      "class A<T> { static from<U>(this: void, a: U): A<U> { return f(a); } *[Symbol.iterator]() {} }",
      ["from/1", "[Symbol.iterator]/0"],
    ],
    ["const a = { b(c: 1) { return c; }, d: (e: 1, f: 2) => e };", ["b/1", "d/2"]],
    ["function a(b: unknown): asserts b is string { }", ["a/1"]],
    ["function a(b: (c: 1, d: 2) => void, e: 3) { }", ["a/2", "anonymous/2"]],
    ["describe('x', () => { test('y', async (t) => {}); });", ["anonymous/0", "anonymous/1"]],
  ];
  for (const [text, expected] of samples) assert.deepEqual(seen(text), expected, text);
});

test("statements, calls and ternaries are no functions", () => {
  const samples = [
    "if (a) { b(c, d, e, f); } else if (g) { }",
    "for (const a of b) { } while (a) { } switch (a) { case b(1, 2, 3, 4): { } }",
    "try { } catch (error) { }",
    "const a = b ? c(1, 2, 3, 4) : { d: 1 };",
    "return a(b, c, d, e);",
    "class A extends B(1, 2, 3, 4) { }",
    "new A(1, 2, 3, 4);",
    "const a = (1 < 2) && (b > c);",
  ];
  for (const text of samples) assert.deepEqual(seen(text), [], text);
});

test("a function reaches from its name to its closing brace, and knows what it is passed to", () => {
  const text = "describe('x', () => {\n  1;\n});\nfunction a(\n  b: 1,\n): void {\n  2;\n}";
  const [callback, named] = functionsOf(lex(text).code);
  assert.equal(callback?.passedTo, "describe");
  assert.equal(
    text.slice(callback?.start, (callback?.end ?? 0) + 1),
    "() => {\n  1;\n}".slice(0, 2) + " => {\n  1;\n}",
  );
  assert.equal(text.slice(named?.start, (named?.end ?? 0) + 1), text.slice(text.indexOf("function")));
});
