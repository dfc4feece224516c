import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseExposition } from "./exposition.ts";

const plain = (text: string) =>
  parseExposition(text)?.map(({ name, labels, value }) => [name, Object.fromEntries(labels), value]);

test("samples are read with labels, escapes, timestamps and exemplars; comments and buckets are passed over", () => {
  const text = `# HELP a:b What it is.
# TYPE a:b gauge
a:b{x="1",y="a \\"b\\" \\\\ c\\n"} 2.5
  plain 7
stamped{a="b"} 1.5e+06 1720000000000
spaced { a = "b" , c="d", } 3
seconds_bucket{le="+Inf"} 3 # {trace_id="x"} 0.5
exemplar_total{a="b"} 3 # {trace_id="x"} 0.5
# EOF
`;
  assert.deepEqual(plain(text), [
    ["a:b", { x: "1", y: 'a "b" \\ c\n' }, 2.5],
    ["plain", {}, 7],
    ["stamped", { a: "b" }, 1_500_000],
    ["spaced", { a: "b", c: "d" }, 3],
    ["exemplar_total", { a: "b" }, 3],
  ]);
});

test("infinities and what is not a number are values", () => {
  assert.deepEqual(
    parseExposition("a +Inf\na -Inf\na NaN\n")?.map(({ value }) => value),
    [Infinity, -Infinity, Number.NaN],
  );
});

test("a text with one line that is no sample is none at all", () => {
  const bad = [
    "<html>",
    "a",
    "a {b} 1",
    'a{b="c} 1',
    'a{b="c"',
    "a 0x10",
    "a 1 2 3",
    "a b",
    '{"a": 1}',
    "1a 1",
    "a{} 1 x",
  ];
  for (const line of bad) assert.equal(parseExposition(`good 1\n${line}\n`), null, line);
  assert.deepEqual(parseExposition(""), []);
});

test("label names of the language's own are labels", () => {
  assert.equal(parseExposition('a{__proto__="x"} 1')?.[0]?.labels.get("__proto__"), "x");
});

test("what is printed is read again", () => {
  const label = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]*$/);
  const escaped = (value: string) => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/).filter((name) => !name.endsWith("_bucket")),
      fc.dictionary(
        label,
        fc.string().filter((text) => !text.includes("\r")),
        { noNullPrototype: true },
      ),
      fc.double({ noNaN: true }),
      (name, labels, value) => {
        const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
        const number = Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
        const [sample] = parseExposition(`${name}{${pairs.join(",")}} ${number}\n`) ?? [];
        assert.deepEqual([sample?.name, Object.fromEntries(sample?.labels ?? [])], [name, { ...labels }]);
        assert.ok(sample?.value === value || Object.is(sample?.value, value) || value === 0);
      },
    ),
  );
});

test("no text throws", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void parseExposition(text)));
});
