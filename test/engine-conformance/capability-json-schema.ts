import assert from "node:assert/strict";
import { test } from "node:test";
import { Compile } from "typebox/schema";
import { bodyFor, CHAT, type CapabilityTarget, endOf, wordsOf } from "./capability.ts";

const messages = [{ role: "user", content: "Say it as JSON." }];

/** Schemas of the kinds that clients send; all are bounded, so that an answer ends. */
const SCHEMAS: Readonly<Record<string, object>> = {
  "an object with optional properties": {
    type: "object",
    properties: {
      name: { type: "string", minLength: 2, maxLength: 8 },
      age: { type: "integer", minimum: 0, maximum: 130 },
      isOpen: { type: "boolean" },
      note: { type: ["string", "null"], maxLength: 4 },
    },
    required: ["name", "isOpen"],
    additionalProperties: false,
  },
  "arrays with bounds": {
    type: "array",
    items: { type: "array", items: { enum: [1, "two", null] }, minItems: 1, maxItems: 2 },
    minItems: 2,
    maxItems: 3,
  },
  "constants, unions and references": {
    type: "object",
    properties: {
      kind: { const: "point" },
      at: { $ref: "#/$defs/place" },
      other: { anyOf: [{ $ref: "#/$defs/place" }, { type: "null" }] },
    },
    required: ["kind", "at", "other"],
    additionalProperties: false,
    $defs: {
      place: { type: "array", prefixItems: [{ type: "integer" }, { type: "integer" }], items: false, minItems: 2 },
    },
  },
};

/** JSON by schema: what was finished is valid by it, and what was not is said to be cut. */
export function jsonSchemaConformance(target: () => CapabilityTarget): void {
  const asked = (schema: object, more: object = {}) =>
    bodyFor(target(), {
      messages,
      response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema } },
      ...more,
    });

  for (const [title, schema] of Object.entries(SCHEMAS)) {
    test(`${title}: whole and streamed answers are valid`, async () => {
      const validator = Compile(schema);
      for (const seed of [1, 2, 3]) {
        const { status, body } = await target().post(CHAT, asked(schema, { seed }));
        assert.equal(status, 200, body.error?.message ?? "");
        assert.equal(body.choices[0]?.finish_reason, "stop");
        const content = body.choices[0].message?.content ?? "";
        assert.ok(validator.Check(JSON.parse(content)), content);
      }
      const chunks = await target().stream(CHAT, asked(schema));
      assert.equal(endOf(chunks), "stop");
      assert.ok(validator.Check(JSON.parse(wordsOf(chunks))), wordsOf(chunks));
    });
  }

  test("an answer that is cut says so", async () => {
    const { body } = await target().post(
      CHAT,
      asked({ type: "array", items: { type: "integer" }, minItems: 40 }, { max_tokens: 8 }),
    );
    assert.equal(body.choices[0]?.finish_reason, "length");
    assert.throws(() => JSON.parse(body.choices[0]?.message?.content ?? "") as unknown);
  });

  test("a JSON object is one, whatever is in it", async () => {
    const body = bodyFor(target(), { messages, response_format: { type: "json_object" } });
    const { choices } = (await target().post(CHAT, body)).body;
    if (choices[0]?.finish_reason === "length") return;
    const value = JSON.parse(choices[0]?.message?.content ?? "") as unknown;
    assert.ok(typeof value === "object" && value !== null && !Array.isArray(value));
  });

  test("a schema that is wrong is refused", async () => {
    const { status, body } = await target().post(CHAT, asked({ type: "nothing" }));
    assert.equal(status, 400);
    assert.ok((body.error?.message ?? "") !== "");
  });
}
