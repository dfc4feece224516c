import { z } from "zod";
import { shown } from "./problems.ts";
import type { Finding, Path } from "./problems.ts";
import { heard } from "./say.ts";
import { RESERVED_KEYS } from "./schema.ts";
import { nearest } from "./suggest.ts";
import { fieldOf } from "./values.ts";

type Issue = z.core.$ZodIssue;

/** A Zod issue in words for whoever writes the file. `raw` is the file's plain value and `schema` that of its root. */
export function explain(issue: Issue, raw: unknown, schema: z.ZodType): readonly Finding[] {
  const path = issue.path;
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, raw, path);
    return issue.keys.map((key) => unknownKey(path, key, known));
  }
  const value = valueAt(raw, path);
  const own = heard(issue.message);
  if (own !== null) return [{ path, ...own }];
  // Zod's words for an absent key speak of types; ours say that it is missing.
  return [{ path, ...(value === undefined ? missing(path) : describe(issue, value)) }];
}

const SEE_DOCS = "see docs/configuration.md";

type Words = Pick<Finding, "message" | "remedy">;

function missing(path: Path): Words {
  const key = String(path.at(-1));
  if (path.length === 1 && key === "version") return { message: "missing", remedy: "begin the file with version: 1" };
  if (path.length === 1 && key === "backends")
    return { message: "missing", remedy: "add at least one, such as local: {engine: embedded}" };
  return { message: "missing", remedy: `add ${key}:` };
}

function unknownKey(path: Path, key: string, known: readonly string[]): Finding {
  const here = [...path, key];
  if (path.length === 0 && RESERVED_KEYS.has(key)) {
    return { path: here, message: "reserved for a later version", remedy: "remove it" };
  }
  const near = nearest(key, known);
  const remedy = near === null ? `remove it, or use one of ${known.join(", ")}` : `did you mean ${near}?`;
  return { path: here, message: "unknown key", remedy };
}

function describe(issue: Issue, value: unknown): Words {
  switch (issue.code) {
    case "invalid_type":
      return wrongType(issue.expected, value);
    case "too_small":
      if (typeof value === "number")
        return { message: `must be at least ${issue.minimum}`, remedy: "write a larger number" };
      return { message: "must not be empty", remedy: "fill it in or remove it" };
    case "too_big":
      if (typeof value === "number")
        return { message: `must be at most ${issue.maximum}`, remedy: "write a smaller number" };
      return { message: `must be at most ${issue.maximum} long`, remedy: "shorten it" };
    case "invalid_value":
      return oneOf(issue.values, value);
    case "invalid_union":
      if ("options" in issue && issue.options !== undefined) return oneOf(issue.options, value);
      return { message: "has the wrong shape", remedy: SEE_DOCS };
    default:
      return { message: issue.message, remedy: SEE_DOCS };
  }
}

function oneOf(options: readonly unknown[], value: unknown): Words {
  const names = options.filter((option) => option !== undefined && option !== null).map(String);
  const near = typeof value === "string" ? nearest(value, names) : null;
  const message = names.length === 1 ? `must be ${names[0]}` : `must be one of ${names.join(", ")}`;
  return { message, remedy: near === null ? `write ${names.join(" or ")}` : `did you mean ${near}?` };
}

const WANTED: Readonly<Record<string, string>> = {
  object: "a mapping of keys to values",
  record: "a mapping of names to values",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

function wrongType(expected: string, value: unknown): Words {
  const wanted = WANTED[expected] ?? expected;
  const message = `must be ${wanted}, not ${kindOf(value)}`;
  if (value === null)
    return { message: `must be ${wanted}, but nothing is written`, remedy: "fill it in or remove the key" };
  if (expected === "string") return { message, remedy: "put it in quotes" };
  if ((expected === "number" || expected === "int") && typeof value === "string") {
    return { message, remedy: "write the number without quotes or unit" };
  }
  if (expected === "array") return { message, remedy: "begin each item with a hyphen, or write [item, item]" };
  return { message, remedy: `write ${wanted}` };
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return Number.isInteger(value) ? "a number" : "a number with a fraction";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? "text" : "true or false";
}

function valueAt(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => fieldOf(value, key), raw);
}

/** Keys that the schema knows at a path. `raw` tells which engine's backend it is. */
function knownKeys(root: z.ZodType, raw: unknown, path: Path): readonly string[] {
  let schema = inner(root, raw);
  let value = raw;
  for (const key of path) {
    value = fieldOf(value, key);
    if (schema instanceof z.ZodObject) schema = schema.shape[String(key)];
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else if (schema instanceof z.ZodArray) schema = schema.element;
    schema = inner(schema, value);
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape).map(shown) : [];
}

/** The schema below optional, default and choice. */
function inner(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) {
    return inner(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const engine = fieldOf(value, schema.def.discriminator);
    return schema.options.find((option) => {
      const field: unknown = option instanceof z.ZodObject ? option.shape[schema.def.discriminator] : undefined;
      return field instanceof z.ZodType && field.safeParse(engine).success;
    });
  }
  return schema;
}
