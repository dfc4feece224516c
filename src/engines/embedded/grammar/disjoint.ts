/** Whether no value can be valid by two of several schemas, as far as that is plain to see. */

type Keywords = Readonly<Record<string, unknown>>;

/** True where each pair has different types, or different constants, or a required property whose constants differ. */
export function areDisjoint(branches: readonly unknown[]): boolean {
  return branches.every((one, index) => branches.slice(index + 1).every((other) => arePairDisjoint(one, other)));
}

function arePairDisjoint(one: unknown, other: unknown): boolean {
  if (!isKeywords(one) || !isKeywords(other)) return false;
  const [values, otherValues] = [constantsOf(one), constantsOf(other)];
  if (values !== null && otherValues !== null) return values.every((value) => !otherValues.includes(value));
  const [types, otherTypes] = [typesOf(one), typesOf(other)];
  if (types !== null && otherTypes !== null && types.every((type) => !otherTypes.includes(type))) return true;
  const [properties, otherProperties] = [one["properties"], other["properties"]];
  if (!isKeywords(properties) || !isKeywords(otherProperties)) return false;
  if (types?.join() !== "object" || otherTypes?.join() !== "object") return false;
  return requiredOf(one).some(
    (name) => requiredOf(other).includes(name) && constantsApart(properties[name], otherProperties[name]),
  );
}

function constantsApart(one: unknown, other: unknown): boolean {
  if (!isKeywords(one) || !isKeywords(other)) return false;
  const [values, otherValues] = [constantsOf(one), constantsOf(other)];
  return values !== null && otherValues !== null && values.every((value) => !otherValues.includes(value));
}

/** The values that a schema lists, as JSON, or null. */
function constantsOf(schema: Keywords): readonly string[] | null {
  if (schema["const"] !== undefined) return [JSON.stringify(schema["const"])];
  const values = schema["enum"];
  return Array.isArray(values) ? values.map((value: unknown) => JSON.stringify(value)) : null;
}

/** A schema's types, integers counted as the numbers that they are. */
function typesOf(schema: Keywords): readonly unknown[] | null {
  const { type } = schema;
  if (type === undefined) return null;
  return (Array.isArray(type) ? type : [type]).map((each: unknown) => (each === "integer" ? "number" : each));
}

function requiredOf(schema: Keywords): readonly string[] {
  const { required } = schema;
  return Array.isArray(required) ? required.filter((name) => typeof name === "string") : [];
}

function isKeywords(value: unknown): value is Keywords {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
