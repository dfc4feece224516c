/**
 * JSON Schema as a grammar: every text of the grammar is JSON that is valid by the schema. The reverse need not hold (white space
 * is bounded, numbers have limits, properties come in the schema's order), since a model must only be kept inside. A keyword
 * that cannot be promised is refused by name, never ignored.
 */
import { either, GrammarRules, REPETITIONS_MAX, repeated } from "./gbnf.ts";
import { INTEGER_LIMIT, integerRange } from "./integer-range.ts";
import { jsonText, jsonValue, SPACE, STRING_CHARACTER } from "./json-text.ts";
import { objectGrammar } from "./object-schema.ts";
import { areDisjoint } from "./disjoint.ts";
import { unsupportedKeyword, wrongSchema } from "./schema-error.ts";
import { patternGrammar } from "./string-pattern.ts";

/** A schema that is an object of keywords. */
export type Keywords = Readonly<Record<string, unknown>>;

/** Keywords that limit no value; `nullable`, which is no part of JSON Schema, is refused by itself where it is true. */
const PASSIVE: ReadonlySet<string> = new Set(
  "title description default examples deprecated readOnly writeOnly $schema $id $comment $defs definitions nullable".split(
    " ",
  ),
);
/** The keywords that each kind of schema is read by; any other is refused. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  $ref: [],
  const: ["type"],
  enum: ["type"],
  anyOf: [],
  oneOf: [],
  allOf: [],
  string: ["type", "minLength", "maxLength", "pattern", "format"],
  integer: ["type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  number: ["type", "minimum"],
  object: ["type", "properties", "required", "additionalProperties"],
  array: ["type", "items", "prefixItems", "minItems", "maxItems"],
  boolean: ["type"],
  null: ["type"],
};
const TYPES = ["string", "integer", "number", "object", "array", "boolean", "null"];
const COMBINERS = ["$ref", "const", "enum", "anyOf", "oneOf", "allOf"];
/** Deeper than any schema a person writes; a hostile one must not exhaust the stack. */
const DEPTH_MAX = 64;

const FORMATS: Readonly<Record<string, string>> = {
  date: '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])',
  time: '("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,9})? "Z"',
  uuid: '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
  ipv4: "octet",
};

/** Compiles one schema and those that it refers to. Owned by one call of `addSchema`. */
export class SchemaCompiler {
  readonly rules: GrammarRules;
  readonly #root: unknown;
  readonly #references = new Map<string, string>();
  #depth = 0;

  constructor(rules: GrammarRules, root: unknown) {
    this.rules = rules;
    this.#root = root;
  }

  /** An expression for the values that are valid by `schema`, which stands at `path`. Throws `SchemaError`. */
  compile(schema: unknown, path: string): string {
    if (schema === true) return jsonValue(this.rules);
    if (schema === false) throw unsupportedKeyword(path, "false", "nothing is valid by it");
    if (typeof schema !== "object" || schema === null || Array.isArray(schema))
      throw wrongSchema(path, "must be an object or a boolean");
    if (++this.#depth > DEPTH_MAX) throw wrongSchema(path, `is nested more than ${DEPTH_MAX} deep`);
    const expression = this.#keywords(schema as Keywords, path);
    this.#depth -= 1;
    return expression;
  }

  #keywords(schema: Keywords, path: string): string {
    const combiner = COMBINERS.find((keyword) => schema[keyword] !== undefined);
    const kind = combiner ?? typesOf(schema, path);
    if (typeof kind !== "string") return this.#anyType(schema, { types: kind, path });
    refuseOthers(schema, kind, path);
    switch (kind) {
      case "$ref":
        return this.#reference(schema["$ref"], path);
      case "const":
        return jsonText(schema["const"]);
      case "enum":
        return this.#enumeration(schema, path);
      case "anyOf":
      case "oneOf":
      case "allOf":
        return this.#combination(schema, kind, path);
      case "any":
        return jsonValue(this.rules);
      default:
        return this.#ofType(schema, kind, path);
    }
  }

  #ofType(schema: Keywords, type: string, path: string): string {
    switch (type) {
      case "string":
        return this.#string(schema, path);
      case "integer":
        return integerGrammar(schema, path);
      case "number":
        return this.#number(schema, path);
      case "object":
        return objectGrammar(this, schema, path);
      case "array":
        return this.#array(schema, path);
      case "boolean":
        return '("true" | "false")';
      default:
        return '"null"';
    }
  }

  /** Several types: each takes the keywords that speak of it. */
  #anyType(schema: Keywords, { types, path }: { types: readonly string[]; path: string }): string {
    const all = new Set(types.flatMap((type) => KNOWN[type] ?? []));
    for (const keyword of Object.keys(schema))
      if (!all.has(keyword) && !isPassive(keyword)) throw unsupportedKeyword(path, keyword);
    return either(
      types.map((type) => {
        const own = Object.entries(schema).filter(([keyword]) => (KNOWN[type] ?? []).includes(keyword));
        return this.#ofType(Object.fromEntries(own), type, path);
      }),
    );
  }

  #reference(reference: unknown, path: string): string {
    if (typeof reference !== "string" || !/^#(?:\/|$)/.test(reference))
      throw unsupportedKeyword(path, "$ref", "only references inside the schema, such as #/$defs/name, are");
    const known = this.#references.get(reference);
    if (known !== undefined) return known;
    const target = resolvePointer(this.#root, reference);
    if (target === undefined) throw wrongSchema(path, `refers to ${reference}, which is not in the schema`);
    const name = this.rules.reserve(reference.split("/").at(-1) ?? "root");
    this.#references.set(reference, name);
    const body = this.compile(target, reference.slice(1));
    if (body === name) throw wrongSchema(path, `refers to ${reference}, which is nothing but itself`);
    this.rules.define(name, body);
    return name;
  }

  #enumeration(schema: Keywords, path: string): string {
    const values = schema["enum"];
    if (!Array.isArray(values) || values.length === 0) throw wrongSchema(path, "needs a non-empty array as `enum`");
    const type = schema["type"];
    const fitting = type === undefined ? values : values.filter((value: unknown) => isOfType(value, type));
    if (fitting.length === 0) throw wrongSchema(path, "has an `enum` without a value of its `type`");
    return either(fitting.map((value: unknown) => jsonText(value)));
  }

  #combination(schema: Keywords, kind: "anyOf" | "oneOf" | "allOf", path: string): string {
    const branches = schema[kind];
    if (!Array.isArray(branches) || branches.length === 0)
      throw wrongSchema(path, `needs a non-empty array as \`${kind}\``);
    if (kind === "allOf" && branches.length > 1)
      throw unsupportedKeyword(path, "allOf", "of more than one schema; write them as one");
    if (kind === "oneOf" && !areDisjoint(branches))
      throw unsupportedKeyword(path, "oneOf", "its branches may overlap; use anyOf");
    return either(branches.map((branch: unknown, index) => this.compile(branch, `${path}/${kind}/${index}`)));
  }

  #string(schema: Keywords, path: string): string {
    const { pattern, format } = schema;
    const length = bounds(schema, ["minLength", "maxLength"], path);
    const isBounded = schema["minLength"] !== undefined || schema["maxLength"] !== undefined;
    const given = ["pattern", "format"].filter((keyword) => schema[keyword] !== undefined);
    if (given.length + (isBounded ? 1 : 0) > 1)
      throw unsupportedKeyword(path, given[0] as string, "not together with another limit on the same string");
    if (pattern !== undefined) return `"\\"" ${patternGrammar(this.rules, String(pattern), path)} "\\""`;
    if (format !== undefined) return `"\\"" ${this.#format(format, path)} "\\""`;
    const character = this.rules.shared("string-character", () => STRING_CHARACTER);
    return `"\\"" ${repeated(character, length[0], length[1])} "\\""`;
  }

  #format(format: unknown, path: string): string {
    if (format === "date-time") return `${FORMATS["date"]} "T" ${FORMATS["time"]}`;
    const body = typeof format === "string" && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
    if (body === undefined) throw unsupportedKeyword(path, "format", JSON.stringify(format));
    if (format !== "ipv4") return body;
    const octet = this.rules.shared("octet", () => integerRange(0, 255));
    return Array(4).fill(octet).join(' "." ');
  }

  #number(schema: Keywords, path: string): string {
    const { minimum } = schema;
    if (minimum !== undefined && minimum !== 0)
      throw unsupportedKeyword(path, "minimum", "of a number other than 0; integers may have any bounds");
    const magnitude = this.rules.shared(
      "magnitude",
      () => '("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
    );
    return minimum === 0 ? magnitude : `"-"? ${magnitude}`;
  }

  #array(schema: Keywords, path: string): string {
    const [min, max] = bounds(schema, ["minItems", "maxItems"], path);
    const first = schema["prefixItems"] ?? [];
    if (!Array.isArray(first)) throw wrongSchema(path, "needs an array as `prefixItems`");
    const head = first.map((item: unknown, index) => this.compile(item, `${path}/prefixItems/${index}`));
    const takesMore = schema["items"] !== false && (max === null || max > head.length);
    const item = takesMore ? this.rules.add("item", this.compile(schema["items"] ?? true, `${path}/items`)) : null;
    if (item === null && min > head.length) throw wrongSchema(path, "asks for more items than it allows");
    const space = this.rules.shared("space", () => SPACE);
    const comma = `"," ${space}`;
    // From the end: what may follow once `count` items stand there.
    let rest =
      item === null
        ? '""'
        : repeated(
            this.rules.add("more", `${comma} ${item}`),
            Math.max(0, min - Math.max(1, head.length)),
            more(max, head),
          );
    for (let index = head.length - 1; index >= 0; index--) {
      if (max !== null && index >= max) continue;
      const step = index === 0 ? (head[index] as string) : `${comma} ${head[index] as string}`;
      rest = index < min ? `${step} ${rest}` : `(${step} ${rest})?`;
    }
    if (head.length === 0) rest = item === null ? "" : min === 0 ? `(${item} ${rest})?` : `${item} ${rest}`;
    return `"[" ${space} ${rest} ${space} "]"`.replace(/ {2,}/g, " ");
  }
}

/** How many items may follow the first ones: those of `prefixItems`, or one. */
function more(max: number | null, head: readonly string[]): number | null {
  return max === null ? null : Math.max(0, max - Math.max(1, head.length));
}

/** Adds `schema` to a grammar and says how to refer to its values. Throws `SchemaError`. */
export function addSchema(rules: GrammarRules, schema: unknown): string {
  return rules.add("value", new SchemaCompiler(rules, schema).compile(schema, ""));
}

/** A whole grammar for the values of `schema`. Throws `SchemaError`. */
export function schemaGrammar(schema: unknown): string {
  const rules = new GrammarRules();
  return rules.text(addSchema(rules, schema));
}

function typesOf(schema: Keywords, path: string): string | readonly string[] {
  const { type } = schema;
  if (type === undefined) {
    if (schema["properties"] !== undefined) return "object";
    if (schema["items"] !== undefined) return "array";
    for (const keyword of Object.keys(schema))
      if (!isPassive(keyword)) throw unsupportedKeyword(path, keyword, "without a `type` beside it");
    return "any";
  }
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  const wrong = types.find((each) => typeof each !== "string" || !TYPES.includes(each));
  if (wrong !== undefined || types.length === 0)
    throw wrongSchema(path, `has a \`type\` other than ${TYPES.join(", ")}`);
  return types.length === 1 ? (types[0] as string) : (types as readonly string[]);
}

function refuseOthers(schema: Keywords, kind: string, path: string): void {
  for (const keyword of Object.keys(schema)) {
    if (keyword === kind || isPassive(keyword) || (KNOWN[kind] ?? []).includes(keyword)) continue;
    throw unsupportedKeyword(path, keyword, KNOWN[kind] === undefined ? "" : `beside \`${kind}\``);
  }
  if (schema["nullable"] === true) throw unsupportedKeyword(path, "nullable", 'write type: [..., "null"]');
}

function isPassive(keyword: string): boolean {
  return PASSIVE.has(keyword) || keyword.startsWith("x-");
}

function integerGrammar(schema: Keywords, path: string): string {
  const { multipleOf } = schema;
  if (multipleOf !== undefined && multipleOf !== 1) throw unsupportedKeyword(path, "multipleOf");
  const number = (keyword: string): number | null => {
    const value = schema[keyword];
    if (value === undefined) return null;
    if (typeof value !== "number" || !Number.isFinite(value))
      throw wrongSchema(path, `needs a number as \`${keyword}\``);
    return value;
  };
  const above = number("exclusiveMinimum");
  const below = number("exclusiveMaximum");
  const min = Math.max(
    Math.ceil(number("minimum") ?? -INTEGER_LIMIT),
    above === null ? -INTEGER_LIMIT : Math.floor(above) + 1,
  );
  const max = Math.min(
    Math.floor(number("maximum") ?? INTEGER_LIMIT),
    below === null ? INTEGER_LIMIT : Math.ceil(below) - 1,
  );
  if (min > max) throw wrongSchema(path, `allows no integer of at most ${String(INTEGER_LIMIT).length} digits`);
  return integerRange(Math.max(min, -INTEGER_LIMIT), Math.min(max, INTEGER_LIMIT));
}

/** A pair of non-negative integers: the least, 0 where none is given, and the most, or null. */
function bounds(schema: Keywords, keywords: readonly [string, string], path: string): readonly [number, number | null] {
  const [min, max] = keywords.map((keyword) => {
    const value = schema[keyword];
    if (value === undefined) return null;
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw wrongSchema(path, `needs a non-negative integer as \`${keyword}\``);
    if ((value as number) > REPETITIONS_MAX) throw unsupportedKeyword(path, keyword, `above ${REPETITIONS_MAX}`);
    return value as number;
  });
  if (max !== null && max !== undefined && (min ?? 0) > max)
    throw wrongSchema(path, `has \`${keywords[0]}\` above \`${keywords[1]}\``);
  return [min ?? 0, max ?? null];
}

function isOfType(value: unknown, type: unknown): boolean {
  if (Array.isArray(type)) return type.some((each) => isOfType(value, each));
  if (type === "integer") return Number.isInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

/** What a reference such as `#/$defs/name` points to, or undefined. */
export function resolvePointer(root: unknown, reference: string): unknown {
  const names = reference
    .split("/")
    .slice(1)
    .map((name) => decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~"));
  let target = root;
  for (const name of names) {
    if (typeof target !== "object" || target === null || !Object.hasOwn(target, name)) return undefined;
    target = (target as Keywords)[name];
  }
  return target;
}
