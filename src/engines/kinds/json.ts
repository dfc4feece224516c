/** A JSON value whose shape is not known. */
export type Json = unknown;

/** A member of an object, own ones only; undefined of anything else. */
export function member(value: Json, ...path: readonly string[]): Json {
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, Json>>)[name];
  }
  return at;
}

/** The elements of an array; none of anything else. */
export function items(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** A text that says something, or null. */
export function text(value: Json): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A finite number that is not negative, or null. */
export function number(value: Json): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

/** A whole number that is not negative and exact, or null. */
export function count(value: Json): number | null {
  return Number.isSafeInteger(value) ? number(value) : null;
}

/** A whole number above zero, or null: a limit of 0 is how some engines write that there is none. */
export function limit(value: Json): number | null {
  return count(value) === 0 ? null : count(value);
}

/** The texts of a list. */
export function texts(value: Json): readonly string[] {
  return items(value).flatMap((each) => text(each) ?? []);
}
