import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { Compile } from "typebox/schema";
import { EmbeddedEngine } from "../supervisor.ts";
import { ask } from "../test-client.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { INTEGER_LIMIT } from "./integer-range.ts";
import { schemaGrammar } from "./json-schema.ts";
import { SchemaError } from "./schema-error.ts";

let llama: Llama;
before(async () => {
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.disabled });
});
after(() => llama.dispose());

/** Whether llama.cpp, given the schema's grammar, would let a model write exactly this. */
async function acceptor(schema: object): Promise<(text: string) => boolean> {
  const grammar = await llama.createGrammar({ grammar: schemaGrammar(schema) });
  const { _testText: accepts } = grammar as unknown as { _testText(text: string): boolean };
  return (text) => accepts.call(grammar, text);
}

test("integers between bounds, and no others", async () => {
  const bound = fc.oneof(fc.integer({ min: -120, max: 120 }), fc.integer({ min: -INTEGER_LIMIT, max: INTEGER_LIMIT }));
  await fc.assert(
    fc.asyncProperty(bound, bound, fc.array(bound, { maxLength: 20 }), async (one, other, others) => {
      const [minimum, maximum] = [Math.min(one, other), Math.max(one, other)];
      const accepts = await acceptor({ type: "integer", minimum, maximum });
      for (const value of [minimum - 1, minimum, minimum + 1, maximum - 1, maximum, maximum + 1, ...others]) {
        if (Math.abs(value) > INTEGER_LIMIT) continue;
        assert.equal(
          accepts(String(value)),
          value >= minimum && value <= maximum,
          `${value} in ${minimum} to ${maximum}`,
        );
      }
      assert.ok(!accepts("-0") && !accepts("007") && !accepts(""));
    }),
    { numRuns: 60 },
  );
});

test("exclusive bounds leave the bound out", async () => {
  const accepts = await acceptor({ type: "integer", exclusiveMinimum: 3, exclusiveMaximum: 6.5 });
  assert.deepEqual(["3", "4", "6", "7"].map(accepts), [false, true, true, false]);
});

const PATTERNS: readonly (readonly [string, readonly string[]])[] = [
  ["^[a-c]{2,3}$", ["ab", "abc"]],
  ["^\\d{3}-\\d+$", ["123-4", "000-99"]],
  ["b", ["b", "abc", "xxbxx"]],
  ["^(?:a|bc)*$", ["", "abca"]],
  ["^a.c", ["abc", "abcdef", "a c"]],
  ["^[^a-c]\\.$", ["x.", "-."]],
  ["^[\\w-]+@[a-c]+$", ["x-1@abc"]],
  ['^"\\\\$', ['"\\']],
  ["^[ -~]?$", ["", "x"]],
  ["^(?:[a-c]{1,60}-){0,60}$", ["", "ab-c-"]],
];

test("texts of a pattern match it, and plain ones are all allowed", async () => {
  for (const [pattern, samples] of PATTERNS) {
    const accepts = await acceptor({ type: "string", pattern });
    for (const sample of samples) assert.ok(accepts(JSON.stringify(sample)), `${pattern} takes ${sample}`);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abcx01-@. "\\\n') }), (text) => {
        if (accepts(JSON.stringify(text))) assert.match(text, new RegExp(pattern, "u"));
      }),
      { numRuns: 300 },
    );
  }
});

test("lengths count characters as JSON Schema does", async () => {
  const accepts = await acceptor({ type: "string", minLength: 2, maxLength: 3 });
  const texts = ['"a"', '"ab"', '"abc"', '"abcd"', '"🙂🙂"', '"\\u00e9\\n"', '"a\\"b"', '"\\ud83d\\ude42"'];
  assert.deepEqual(texts.map(accepts), [false, true, true, false, true, true, true, false]);
});

test("other properties have other names", async () => {
  const accepts = await acceptor({
    type: "object",
    properties: { ab: { const: 1 }, abc: { const: 2 } },
    additionalProperties: { type: "boolean" },
  });
  assert.ok(accepts('{"ab":1,"a":true,"abd":false,"x":true}'));
  assert.ok(accepts('{"":true}') && accepts("{}"));
  for (const text of ['{"ab":true}', '{"abc":true}', '{"a":3}', '{"a\\u0062":true}', '{"abc":2,"ab":1}'])
    assert.ok(!accepts(text), text);
});

test("limits are as large as llama.cpp takes them, and objects as wide as anyone writes them", async () => {
  const accepts = await acceptor({ type: "array", items: { type: "string", maxLength: 1999 }, maxItems: 1999 });
  assert.ok(accepts('["a", "b"]'));
  const properties = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`name ${index}`, { type: "null" }]));
  const wide = await acceptor({ type: "object", properties, additionalProperties: { type: "boolean" } });
  assert.ok(wide('{"name 7":null,"name 399":null,"name":true}'));
  assert.ok(!wide('{"name 7":true}'));
});

test("formats are dates, times and addresses", async () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["date", "2026-02-28", "2026-13-01"],
    ["time", "23:59:59Z", "24:00:00Z"],
    ["date-time", "2026-02-28T00:00:00.5Z", "2026-02-28"],
    ["uuid", "00000000-0000-4000-8000-00000000abcd", "0000"],
    ["ipv4", "255.0.10.99", "256.0.0.1"],
  ];
  for (const [format, good, bad] of cases) {
    const accepts = await acceptor({ type: "string", format });
    assert.deepEqual([accepts(JSON.stringify(good)), accepts(JSON.stringify(bad))], [true, false], format);
  }
});

test("a recursive schema is followed", async () => {
  const tree = {
    type: "object",
    properties: { next: { anyOf: [{ $ref: "#" }, { type: "null" }] } },
    required: ["next"],
  };
  const accepts = await acceptor(tree);
  assert.ok(accepts('{"next":{"next": {"next":null}}}'));
  assert.ok(!accepts('{"next":{}}'));
});

test("what cannot be promised is refused by name", () => {
  const refused: readonly (readonly [object, string])[] = [
    [{ type: "array", uniqueItems: true }, "uniqueItems"],
    [{ type: "object", patternProperties: {} }, "patternProperties"],
    [{ type: "object", minProperties: 1 }, "minProperties"],
    [{ not: {} }, "not"],
    [{ type: "object", if: {} }, "if"],
    [{ allOf: [{}, {}] }, "allOf"],
    [{ oneOf: [{ type: "string" }, { type: "string", maxLength: 3 }] }, "oneOf"],
    [{ type: "number", maximum: 2 }, "maximum"],
    [{ type: "integer", multipleOf: 5 }, "multipleOf"],
    [{ type: "string", format: "email" }, "format"],
    [{ type: "string", pattern: "^(?=a)" }, "pattern"],
    [{ type: "string", pattern: "a", maxLength: 3 }, "pattern"],
    [{ type: "string", maxLength: 100_000 }, "maxLength"],
    [{ $ref: "https://example.com/schema" }, "$ref"],
    [{ $ref: "#/$defs/a", maxLength: 3, $defs: { a: { type: "string" } } }, "maxLength"],
    [{ type: "object", properties: {}, required: ["a"] }, "required"],
    [{ type: "string", nullable: true }, "nullable"],
    [{ maxLength: 3 }, "maxLength"],
    [{ type: "object", properties: { ["x".repeat(300)]: {} } }, "properties"],
    [{ type: "string", unknownWord: 1 }, "unknownWord"],
  ];
  for (const [schema, keyword] of refused) {
    assert.throws(
      () => schemaGrammar({ type: "object", properties: { a: schema } }),
      (error) => error instanceof SchemaError && error.keyword === keyword && error.message.includes(keyword),
      JSON.stringify(schema),
    );
  }
  for (const wrong of [
    { type: "thing" },
    { enum: [] },
    { type: "integer", minimum: 3, maximum: 2 },
    { $ref: "#/none" },
    { $ref: "#" },
    [],
  ])
    assert.throws(
      () => schemaGrammar(wrong),
      (error) => error instanceof SchemaError && error.keyword === null,
      JSON.stringify(wrong),
    );
  let deep: object = { type: "null" };
  for (let index = 0; index < 100; index++) deep = { type: "array", items: deep };
  assert.throws(() => schemaGrammar(deep), /nested more than/);
});

/** Schemas whose values are all short. */
const { schema: anySchema } = fc.letrec<{ schema: object; leaf: object }>((tie) => ({
  leaf: fc.oneof(
    fc.tuple(fc.nat(3), fc.nat(3)).map(([min, more]) => ({ type: "string", minLength: min, maxLength: min + more })),
    fc
      .tuple(fc.integer({ min: -50, max: 50 }), fc.nat(200))
      .map(([low, span]) => ({ type: "integer", minimum: low, maximum: low + span })),
    fc.constantFrom<object>(
      { type: "boolean" },
      { type: "null" },
      { type: "number" },
      { const: "a" },
      { enum: [1, 'é"\\', null, [true]] },
    ),
    fc.constantFrom<object>(
      { type: ["integer", "null"] },
      { type: "string", pattern: "^[a-f]{2}$" },
      { type: "string", format: "date" },
    ),
  ),
  schema: fc.oneof(
    { maxDepth: 3, depthIdentifier: "schema" },
    tie("leaf"),
    fc.record({ anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2, depthIdentifier: "schema" }) }),
    fc
      .tuple(tie("schema"), fc.nat(2), fc.nat(2))
      .map(([items, min, more]) => ({ type: "array", items, minItems: min, maxItems: min + more })),
    fc
      .tuple(
        fc.dictionary(fc.string({ maxLength: 4 }), tie("schema"), { maxKeys: 3, depthIdentifier: "schema" }),
        fc.array(fc.boolean()),
      )
      .map(([properties, picks]) => ({
        type: "object",
        properties,
        required: Object.keys(properties).filter((_, index) => picks[index]),
        additionalProperties: false,
      })),
  ),
}));

describe("a model without sense", () => {
  const dir = mkdtempSync(join(tmpdir(), "schema-"));
  const modelPath = join(dir, "tiny.gguf");
  writeTinyModel(modelPath);
  const engine = new EmbeddedEngine({ modelPath, sequences: 1, contextTokens: 4096, socketDir: join(dir, "run") });
  before(() => engine.start());
  after(async () => {
    await engine.close();
    rmSync(dir, { recursive: true });
  });

  test("writes what is valid by any schema, whenever it finishes", async () => {
    let finished = 0;
    await fc.assert(
      fc.asyncProperty(anySchema, fc.nat(), async (schema, seed) => {
        const { status, body } = await ask(engine.socketPath, "/v1/completions", {
          prompt: "The answer",
          max_tokens: 800,
          seed,
          response_format: { type: "json_schema", json_schema: { name: "any", schema } },
        });
        assert.equal(status, 200, body.error?.message ?? "");
        const [choice] = body.choices;
        if (choice?.finish_reason !== "stop") return;
        finished += 1;
        const value: unknown = JSON.parse(choice.text ?? "");
        assert.ok(Compile(schema).Check(value), `${choice.text} by ${JSON.stringify(schema)}`);
      }),
      { numRuns: 60 },
    );
    assert.ok(finished > 30, `only ${finished} finished`);
  });
});
