import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editMembers, FORCE_USAGE, type MemberEdit } from "./edit.ts";

/** One member as it is written, so that a test knows every byte of the body. */
interface Written {
  readonly key: string;
  /** The key's text with its quotes; one key has many spellings. */
  readonly keyText: string;
  readonly valueText: string;
  /** White space before the key, before the colon, after it, and after the value. */
  readonly spaces: readonly [string, string, string, string];
}

const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 });
// Every code unit as an escape: the hardest spelling of a key.
const escaped = (key: string): string =>
  `"${[...Array(key.length).keys()].map((at) => `\\u${key.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;
// V8's JSON.parse takes any escaped key of one character for a backslash once it has seen an object with that key in the same
// place, so a lone backslash is left out: what is tested here is compared with what JSON.parse says.
const key = fc
  .oneof(
    fc.constantFrom("model", "stream_options", "messages", "", '"', "\\\\", "__proto__", "a}b", "x,y:z"),
    fc.string({ unit: "grapheme", maxLength: 6 }),
  )
  .filter((name) => name !== "\\");
const oddNumber = fc.constantFrom(
  "123456789012345678901234567890",
  "-0.0",
  "1e400",
  "0.1000000000000000000001",
  "1E+2",
);
const json = fc.json({ maxDepth: 3 }).filter((text) => !text.includes('"\\\\":'));
const plainValue = fc.oneof(
  json,
  json.map((text) => JSON.stringify(JSON.parse(text), null, 2)),
  oddNumber,
  oddNumber.map((number) => `[${number}, {"n":${number}}]`),
  fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
  fc.string().map(escaped),
  fc.constantFrom('"\\\\"', '"\\\\\\""', '"}"', "{}", "[]", "null", "true", '"\\ud800"'),
);
const written: fc.Arbitrary<Written> = fc
  .tuple(key, fc.boolean(), plainValue, fc.tuple(space, space, space, space))
  .map(([name, isEscaped, valueText, spaces]) => ({
    key: name,
    keyText: isEscaped ? escaped(name) : JSON.stringify(name),
    valueText,
    spaces,
  }));

function textOf({ keyText, valueText, spaces }: Written): string {
  return `${spaces[0]}${keyText}${spaces[1]}:${spaces[2]}${valueText}${spaces[3]}`;
}

function bodyOf(members: readonly Written[], inside: string): string {
  return `${inside}{${members.length === 0 ? inside : members.map(textOf).join(",")}}${inside}`;
}

/** The members as JSON.parse sees them; a map, since `__proto__` is a name like any other here. */
function parsed(text: string): Map<string, unknown> {
  return new Map(Object.entries(JSON.parse(text) as object));
}

const put = (name: string, text: string): MemberEdit => ({ name, json: () => text });

test("the result is the original with the members replaced, and every byte outside the replaced values is the same", () => {
  const property = fc.property(
    fc.array(written, { maxLength: 8 }),
    space,
    fc.uniqueArray(fc.tuple(key, plainValue), { maxLength: 3, selector: ([name]) => name }),
    (members, inside, changes) => {
      const before = bodyOf(members, inside);
      const after = editMembers(
        Buffer.from(before),
        changes.map(([name, text]) => put(name, text)),
      ).toString("utf8");
      const wanted = parsed(before);
      for (const [name, text] of changes) wanted.set(name, JSON.parse(text));
      assert.deepEqual(new Map([...parsed(after)].toSorted(byName)), new Map([...wanted].toSorted(byName)));
      // The last of equal names is the one that counts, so it is the one that is replaced.
      const last = new Map(members.map((member, index) => [member.key, index]));
      const replaced = members.map((member, index) => {
        const change = changes.find(([name]) => name === member.key);
        return change !== undefined && last.get(member.key) === index ? { ...member, valueText: change[1] } : member;
      });
      const added = changes
        .filter(([name]) => !last.has(name))
        .map(([name, text]) => `${JSON.stringify(name)}:${text}`);
      const same = bodyOf(replaced, inside);
      const open = same.indexOf("{") + 1;
      const glue = added.length > 0 && members.length > 0 ? "," : "";
      assert.equal(after, same.slice(0, open) + added.join(",") + glue + same.slice(open));
    },
  );
  fc.assert(property, { numRuns: 1000 });
});

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

test("an edit is made from the old value's own text", () => {
  const seen: (string | null)[] = [];
  const see = (name: string): MemberEdit => ({
    name,
    json: (before) => {
      seen.push(before);
      return "0";
    },
  });
  editMembers(Buffer.from('{"a": {"b" : 1e400 }, "c":"x"}'), [see("a"), see("c"), see("d")]);
  assert.deepEqual(seen, ['{"b" : 1e400 }', '"x"', null]);
});

test("bytes that are not UTF-8 pass as they are", () => {
  const body = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff, 0xfe, 0xc3]), Buffer.from('","model":"a"}')]);
  const edited = editMembers(body, [put("model", '"b"')]);
  assert.deepEqual(edited, Buffer.concat([body.subarray(0, body.length - 4), Buffer.from('"b"}')]));
});

test("usage is asked for in a stream, and the other stream options stay as they are", () => {
  const forced = (body: string): string => editMembers(Buffer.from(body), [FORCE_USAGE]).toString("utf8");
  assert.equal(forced("{}"), '{"stream_options":{"include_usage":true}}');
  assert.equal(forced('{"stream_options":null}'), '{"stream_options":{"include_usage":true}}');
  assert.equal(forced('{"stream_options": {}}'), '{"stream_options": {"include_usage":true}}');
  assert.equal(
    forced('{"stream_options": {"include_usage" : false, "n":1e400}}'),
    '{"stream_options": {"include_usage" : true, "n":1e400}}',
  );
});
