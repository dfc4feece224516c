import { arrayOf, isObject, type JsonObject, numberOf, objectOf } from "../../src/wire/json.ts";

/** The least value that fits a JSON schema. Throws in words where the schema is none. */
export function instanceOf(schema: unknown, root: unknown = schema): unknown {
  if (!isObject(schema)) throw new Error("a schema is an object");
  const { $ref: ref, const: constant, enum: choices, anyOf } = schema;
  if (typeof ref === "string")
    return instanceOf(objectOf(objectOf(root)?.["$defs"])?.[ref.replace("#/$defs/", "")], root);
  if (constant !== undefined) return constant;
  if (Array.isArray(choices)) return choices[0];
  if (Array.isArray(anyOf)) return instanceOf(anyOf[0], root);
  const type: unknown = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  switch (type) {
    case "object":
      return objectFor(schema, root);
    case "array":
      return arrayFor(schema, root);
    case "string":
      return "x".repeat(Math.max(1, numberOf(schema["minLength"]) ?? 0));
    case "integer":
    case "number":
      return numberOf(schema["minimum"]) ?? 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      throw new Error(`a schema has no type ${JSON.stringify(type)}`);
  }
}

function objectFor(schema: JsonObject, root: unknown): JsonObject {
  const properties = Object.entries(objectOf(schema["properties"]) ?? {});
  return Object.fromEntries(properties.map(([name, property]) => [name, instanceOf(property, root)]));
}

function arrayFor(schema: JsonObject, root: unknown): readonly unknown[] {
  const first = arrayOf(schema["prefixItems"]);
  const count = Math.max(first.length, numberOf(schema["minItems"]) ?? 0);
  return Array.from({ length: count }, (_, index) => instanceOf(first[index] ?? schema["items"], root));
}
