import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Table } from "./table.ts";

test("a table does what a Map does, whatever is set and deleted", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("set", "delete"), fc.constantFrom(..."abcdefgh")), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const map = new Map<string, { readonly step: number }>();
      const table = new Table<{ readonly step: number }>();
      for (const [step, [kind, key]] of all.entries()) {
        if (kind === "delete") assert.equal(table.delete(key), map.delete(key));
        else {
          map.set(key, { step });
          table.set(key, { step });
        }
        assert.equal(table.size, map.size);
        assert.equal(table.has(key), map.has(key));
        assert.deepEqual(table.get(key), map.get(key));
      }
      assert.deepEqual([...table.keys()], [...map.keys()]);
      assert.deepEqual([...table.values()], [...map.values()]);
    }),
  );
});

test("keys may be deleted while they are gone through", () => {
  const table = new Table<{ readonly name: string }>();
  for (const name of ["a", "b", "c"]) table.set(name, { name });
  const seen: string[] = [];
  for (const key of table.keys()) {
    seen.push(key);
    table.delete(key);
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.equal(table.size, 0);
});
