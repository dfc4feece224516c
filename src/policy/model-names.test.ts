import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { familyMembers, matches, servedModels, upstreamName } from "./model-names.ts";

test("a name goes before every family, a longer prefix before a shorter, and the star's rest is carried over", () => {
  const served = servedModels({ "*": "any/*", "gpt-*": "openai/*-latest", "gpt-4*": "four", "gpt-4o": "own" });
  assert.equal(upstreamName(served, "gpt-4o"), "own");
  assert.equal(upstreamName(served, "gpt-4o-mini"), "four");
  assert.equal(upstreamName(served, "gpt-5"), "openai/5-latest");
  assert.equal(upstreamName(served, "gpt-"), "any/gpt-", "a star stands for something");
  assert.equal(upstreamName(served, "x"), "any/x");
});

test("what a star stands for is put in as it is", () => {
  assert.equal(upstreamName(servedModels({ "a/*": "b/*" }), "a/$&$1"), "b/$&$1");
  assert.equal(upstreamName(servedModels({ a: "b" }), "constructor"), null);
});

const name = fc.string({ unit: fc.constantFrom("a", "b", "/"), minLength: 1, maxLength: 5 });
const pattern = fc.tuple(
  fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 4 }),
  fc.constantFrom("up/*", "*-x", "*", "one"),
);
const maps = fc
  .tuple(
    fc.uniqueArray(name, { maxLength: 5 }),
    fc.uniqueArray(pattern, { maxLength: 5, selector: ([prefix]) => prefix }),
  )
  .map(([names, families]) => [
    ...names.map((each): [string, string] => [each, `exact/${each}`]),
    ...families.map(([prefix, upstream]): [string, string] => [`${prefix}*`, upstream]),
  ]);

test("the result does not depend on the order of the map, and follows from exact names and the longest prefix alone", () => {
  fc.assert(
    fc.property(maps, name, fc.nat(), (entries, model, turn) => {
      const turned = entries
        .map((_, index) => entries[(index + turn) % entries.length] as [string, string])
        .toReversed();
      const found = upstreamName(servedModels(Object.fromEntries(entries)), model);
      assert.equal(found, upstreamName(servedModels(Object.fromEntries(turned)), model));
      const exact = entries.find(([each]) => each === model);
      if (exact !== undefined) return assert.equal(found, exact[1]);
      const families = entries.filter(([each]) => matches(each, model));
      const longest = Math.max(...families.map(([each]) => each.length));
      const family = families.find(([each]) => each.length === longest);
      assert.equal(found, family === undefined ? null : family[1].replace("*", model.slice(longest - 1)));
    }),
  );
});

test("a family's members are the names by which a client reaches what the upstream reported", () => {
  fc.assert(
    fc.property(maps, fc.array(name, { maxLength: 5 }), (entries, reported) => {
      const served = servedModels(Object.fromEntries(entries));
      for (const member of familyMembers(served, reported)) {
        assert.ok(!Object.hasOwn(served.models, member), "a name of its own is no member");
        assert.ok(reported.includes(upstreamName(served, member) ?? ""));
      }
    }),
  );
  const served = servedModels({ "gpt-*": "openai/gpt-*", "gpt-4": "other", "one-*": "one" });
  assert.deepEqual(familyMembers(served, ["openai/gpt-4", "openai/gpt-5", "openai/x", "openai/gpt-", "one"]), [
    "gpt-5",
  ]);
});
