import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isDeeperThan } from "./depth.ts";
import { parseRequest } from "./request.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("says of any JSON how deep it is, whatever its strings hold", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom("[", "{", "\\", '"', '\\"', "\\\\", '"]}', "ü[", "\\\\["));
  const tree = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 8 }, text, fc.integer(), tie("list"), tie("map")),
    list: fc.array(tie("any"), { maxLength: 4 }),
    map: fc.dictionary(text, tie("any"), { maxKeys: 4 }),
  })).any;
  fc.assert(
    fc.property(tree, fc.nat({ max: 6 }), fc.boolean(), (value, most, pretty) => {
      const json = Buffer.from(JSON.stringify(value, null, pretty ? 2 : 0));
      assert.equal(isDeeperThan(json, most), depthOf(value) > most);
    }),
    { numRuns: 1000 },
  );
});

test("of what is no JSON says something, and ends", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void isDeeperThan(Buffer.from(bytes), 3)));
  // Backslashes that were counted again at every quote would take hours here.
  isDeeperThan(Buffer.from(`"${'\\"'.repeat(1_000_000)}`), 3);
  isDeeperThan(Buffer.from(`"${"\\".repeat(1_000_000)}"`), 3);
});

test("a request of just the limit's levels is taken and one more refused, before a parser sees a million of them", () => {
  const nested = (levels: number): Buffer => {
    const deep = "[".repeat(levels - 1) + "]".repeat(levels - 1);
    return Buffer.from(`{"model":"m","messages":[{"role":"user","content":"Hi"}],"deep":${deep}}`);
  };
  const codeOf = (body: Buffer, maxDepth = 256): string | null => {
    const result = parseRequest("chat", body, maxDepth);
    return result.ok ? null : result.code;
  };
  const codes = [256, 257, 1_000_000].map((levels) => codeOf(nested(levels)));
  assert.deepEqual(codes, [null, "json_too_deep", "json_too_deep"]);
  assert.deepEqual([codeOf(nested(1000), 1000), codeOf(nested(1001), 1000)], [null, "json_too_deep"]);
});
