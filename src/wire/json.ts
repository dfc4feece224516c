/** A JSON object as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a parsed value is an object and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value where it is a text, else null. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The value where it is a number, else null. */
export function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** The value where it is a truth value, else null. */
export function booleanOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

/** The value's elements where it is an array, else none. */
export function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value where it is an object, else null. */
export function objectOf(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}

/** An object without its members that are undefined or null. */
export function compact(members: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null));
}
