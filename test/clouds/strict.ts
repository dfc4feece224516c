import { arrayOf, isObject, type JsonObject } from "../../src/wire/json.ts";

/** What may stand in an object: `true` is anything, a function says what is wrong with a value, or null. */
export type Members = Readonly<Record<string, true | ((value: unknown, path: string) => string | null)>>;

/** What is wrong with an object that may have these members alone, or null. */
export function faultOf(value: unknown, members: Members, path: string): string | null {
  if (!isObject(value)) return `${path} is no object`;
  for (const [name, member] of Object.entries(value)) {
    const known = Object.hasOwn(members, name) ? members[name] : undefined;
    if (known === undefined) return `${path}.${name} is unknown`;
    const fault = known === true ? null : known(member, `${path}.${name}`);
    if (fault !== null) return fault;
  }
  return null;
}

/** A check of an array's elements. */
export function each(check: (value: unknown, path: string) => string | null) {
  return (value: unknown, path: string): string | null => {
    if (!Array.isArray(value)) return `${path} is no array`;
    return value.map((element, index) => check(element, `${path}.${index}`)).find((fault) => fault !== null) ?? null;
  };
}

/** A check of an object of these members. */
export function object(members: Members, needed: readonly string[] = []) {
  return (value: unknown, path: string): string | null => {
    const fault = faultOf(value, members, path);
    if (fault !== null || !isObject(value)) return fault;
    const missing = needed.find((name) => value[name] === undefined);
    return missing === undefined ? null : `${path}.${missing} is missing`;
  };
}

/** A check of an object that has exactly one of these members, and any of `beside`. */
export function oneOf(members: Members, beside: Members = {}) {
  return (value: unknown, path: string): string | null => {
    const fault = faultOf(value, { ...members, ...beside }, path);
    if (fault !== null || !isObject(value)) return fault;
    const count = Object.keys(members).filter((name) => value[name] !== undefined).length;
    return count === 1 ? null : `${path} has ${count} of ${Object.keys(members).join(", ")}`;
  };
}

/** The objects in the arrays of this name in the objects of a list. */
export function inside(list: unknown, name: string): readonly JsonObject[] {
  return arrayOf(list).flatMap((value) => (isObject(value) ? arrayOf(value[name]).filter(isObject) : []));
}
