/** Objects of a schema as grammars: the properties in the schema's order, optional ones perhaps left out, then any others. */
import { type GrammarRules, literal } from "./gbnf.ts";
import type { Keywords, SchemaCompiler } from "./json-schema.ts";
import { jsonObject, SPACE, STRING_CHARACTER } from "./json-text.ts";
import { unsupportedKeyword, wrongSchema } from "./schema-error.ts";

/** Longer than any name of a property, and short enough to be told from others letter by letter. */
const NAME_LENGTH_MAX = 256;

/** An expression for the objects that are valid by `schema`. Throws `SchemaError`. */
export function objectGrammar(compiler: SchemaCompiler, schema: Keywords, path: string): string {
  const { rules } = compiler;
  const properties = readProperties(schema, path);
  const required = readRequired(schema, { properties, path });
  const more = schema["additionalProperties"];
  const names = Object.keys(properties);
  if (names.length === 0 && (more === undefined || more === true)) return jsonObject(rules);
  const space = rules.shared("space", () => SPACE);
  const members = names.map((name) => {
    const value = compiler.compile(properties[name], `${path}/properties/${name}`);
    return rules.add(name, `${literal(`${JSON.stringify(name)}:`)} ${space} ${value}`);
  });
  const others = othersOf(compiler, { more, names, path });
  const comma = `"," ${space}`;
  let after = others === null ? '""' : `(${comma} ${others})*`;
  let first = others === null ? '""' : `(${others} ${after})?`;
  // From the end: what may follow where some member stands already, and where none does.
  for (let index = members.length - 1; index >= 0; index--) {
    const member = members[index] as string;
    const isRequired = required.has(names[index] as string);
    const following = rules.add("after", after);
    first = isRequired ? `${member} ${following}` : rules.add("first", `${member} ${following} | ${first}`);
    after = isRequired ? `${comma} ${member} ${following}` : `(${comma} ${member})? ${following}`;
  }
  return `"{" ${space} ${first} ${space} "}"`;
}

function readProperties(schema: Keywords, path: string): Keywords {
  const properties = schema["properties"] ?? {};
  if (typeof properties !== "object" || properties === null || Array.isArray(properties))
    throw wrongSchema(path, "needs an object as `properties`");
  const long = Object.keys(properties).find((name) => name.length > NAME_LENGTH_MAX);
  if (long !== undefined)
    throw unsupportedKeyword(path, "properties", `a name of more than ${NAME_LENGTH_MAX} characters`);
  return properties as Keywords;
}

function readRequired(schema: Keywords, place: { properties: Keywords; path: string }): ReadonlySet<string> {
  const required = schema["required"] ?? [];
  if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
    throw wrongSchema(place.path, "needs an array of names as `required`");
  const missing = (required as readonly string[]).find((name) => !Object.hasOwn(place.properties, name));
  if (missing !== undefined)
    throw unsupportedKeyword(place.path, "required", `of \`${missing}\`, which is not among its properties`);
  return new Set(required as readonly string[]);
}

/** A member of a name that is not declared, or null where none is asked for. */
function othersOf(
  compiler: SchemaCompiler,
  { more, names, path }: { more: unknown; names: readonly string[]; path: string },
): string | null {
  // Where the schema says nothing, leaving others out is valid, and what its author expects.
  if (more === undefined || more === false) return null;
  const { rules } = compiler;
  const character = rules.shared("string-character", () => STRING_CHARACTER);
  const key = names.length === 0 ? `${character}*` : keyExcept(rules, names);
  const space = rules.shared("space", () => SPACE);
  const value = compiler.compile(more, `${path}/additionalProperties`);
  return rules.add("other", `"\\"" ${key} "\\":" ${space} ${value}`);
}

/** The inside of a key that is none of `names`. It has no escapes, through which a name could be written otherwise. */
function keyExcept(rules: GrammarRules, names: readonly string[]): string {
  const plain = '"\\\\\\x00-\\x1F\\x7F';
  const next = new Map<string, string[]>();
  for (const name of names) {
    const [head = "", ...rest] = name;
    if (name !== "") next.set(head, [...(next.get(head) ?? []), rest.join("")]);
  }
  const heads = [...next.keys()].filter((head) => !'"\\'.includes(head) && (head.codePointAt(0) ?? 0) >= 0x20);
  const excluded = heads.map((head) => `\\U${(head.codePointAt(0) ?? 0).toString(16).padStart(8, "0").toUpperCase()}`);
  const others = `[^${plain}${excluded.join("")}] [^${plain}]*`;
  const deeper = heads.map((head) => `${literal(head)} ${keyExcept(rules, next.get(head) ?? [])}`);
  const rest = rules.add("key", [others, ...deeper].join(" | "));
  return names.includes("") ? rest : `${rest}?`;
}
