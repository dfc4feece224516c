import { present } from "../../base/assert.ts";
import type { JsonSchemaNode } from "./json-schema.ts";

/** Marks the part of docs/configuration.md that is made from the schema. */
export const TABLES_BEGIN = "<!-- Made from the schema by scripts/schema.ts --update: do not edit below. -->";
/** Ends that part. */
export const TABLES_END = "<!-- End of the part made from the schema. -->";

interface Row {
  readonly key: string;
  readonly node: JsonSchemaNode;
  readonly required: boolean;
}

/** One Markdown table for each part of the file: key, type, default, meaning. */
export function configTables(schema: JsonSchemaNode): string {
  const sections = present(schema.properties, "the root has properties");
  const parts = Object.entries(sections).map(([name, node]) => {
    if (name === "backends") return backendTables(node);
    const entry = node.additionalProperties;
    const rows = entry ? rowsOf(entry, "") : rowsOf(node, "");
    const title = entry ? `${name}.NAME` : name;
    return rows.length === 0 ? section(title, [{ key: name, node, required: true }], null) : section(title, rows, node);
  });
  return parts.join("\n");
}

/** `text` with its marked part replaced. Throws when the marks are missing. */
export function withTables(text: string, tables: string): string {
  const begin = text.indexOf(TABLES_BEGIN);
  const end = text.indexOf(TABLES_END);
  if (begin < 0 || end < begin)
    throw new Error(`docs/configuration.md must hold the lines "${TABLES_BEGIN}" and "${TABLES_END}"`);
  return `${text.slice(0, begin + TABLES_BEGIN.length)}\n\n${tables}\n${text.slice(end)}`;
}

/** What every engine takes alike is one table; what only some take, or take differently, stands in each one's own. */
function backendTables(node: JsonSchemaNode): string {
  const engines = present(node.additionalProperties || null, "backends are a map").oneOf ?? [];
  const all = engines.map((engine) => ({ name: nameOf(engine), rows: rowsOf(engine, "") }));
  const isCommon = (row: Row): boolean =>
    all.every(({ rows }) => rows.some((other) => JSON.stringify(other) === JSON.stringify(row)));
  const common = present(all[0], "there is an engine").rows.filter(isCommon);
  const own = all.map(({ name, rows }) =>
    section(
      `backends.NAME with engine: ${name}`,
      rows.filter((row) => !isCommon(row)),
      null,
    ),
  );
  return [section("backends.NAME", common, node), ...own].join("\n");
}

function nameOf(engine: JsonSchemaNode): string {
  const { const: only, enum: [first] = [only] } = present(engine.properties?.["engine"], "an engine has its name");
  return String(first);
}

function rowsOf(node: JsonSchemaNode, prefix: string): readonly Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]): readonly Row[] => {
    const key = `${prefix}${name}`;
    const row = { key, node: child, required: node.required?.includes(name) ?? false };
    const below = child.items?.properties === undefined ? rowsOf(child, `${key}.`) : rowsOf(child.items, `${key}[].`);
    return [row, ...below];
  });
}

function section(title: string, rows: readonly Row[], node: JsonSchemaNode | null): string {
  const lines = [`### ${title}`, ""];
  if (node?.description !== undefined) lines.push(node.description, "");
  lines.push("| key | type | default | meaning |", "|---|---|---|---|");
  for (const row of rows) {
    lines.push(`| \`${row.key}\` | ${typeOf(row.node)} | ${defaultOf(row)} | ${escaped(row.node.description ?? "")} |`);
  }
  return `${lines.join("\n")}\n`;
}

function typeOf(node: JsonSchemaNode): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (Array.isArray(node.type)) return "decimal";
  if (node.type === "integer") return `whole number${range(node)}`;
  if (node.type === "array") return `list of ${node.items?.type === "object" ? "mappings" : typeOf(node.items ?? {})}`;
  if (node.type === "object") return "mapping";
  if (node.type === "boolean") return "`true` or `false`";
  return "text";
}

function range({ minimum, maximum }: JsonSchemaNode): string {
  if (maximum === undefined || maximum >= 1_000_000_000) return minimum === undefined ? "" : `, ≥ ${minimum}`;
  return `, ${minimum ?? 0} to ${maximum}`;
}

function defaultOf({ node, required }: Row): string {
  if (required) return "required";
  if (node.default === undefined || JSON.stringify(node.default) === "{}") return "";
  return `\`${Array.isArray(node.default) ? `[${node.default.join(", ")}]` : String(node.default)}\``;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}
