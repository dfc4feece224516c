import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { csvLine, parseCsv } from "./csv.ts";

test("what is written is read again, whatever is in the cells", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "é", " ", ",", '"', "\n", "\r\n", ";") });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), fc.boolean(), (rows, windows) => {
      const kept = rows.filter((row) => row.some((each) => each !== ""));
      const end = windows ? "\r\n" : "\n";
      const text = `${["x,y", ...rows.map((row) => csvLine(row))].join(end)}${end}`;
      assert.deepEqual(
        parseCsv(text),
        kept.map(([x, y]) => ({ x, y })),
      );
    }),
  );
});

test("a byte order mark, short rows and a missing last line end are read", () => {
  assert.deepEqual(parseCsv("\uFEFFx, y\n1\n\n2,3"), [
    { x: "1", y: "" },
    { x: "2", y: "3" },
  ]);
  assert.deepEqual(parseCsv(""), []);
});

test("a quote that does not enclose a whole cell is an error with its row", () => {
  for (const text of ['x\n"1', 'x\n1"2', 'x\n"1"2']) assert.throws(() => parseCsv(text), /row 2/, text);
});
