import { readFileSync, writeFileSync } from "node:fs";
import { configJsonSchema, configJsonSchemaText } from "../src/app/config/json-schema.ts";
import { configTables, withTables } from "../src/app/config/tables.ts";

// Compares baseload.schema.json and the tables in docs/configuration.md with the schema in src/app/config; --update writes them.

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== "--update")) {
  console.error("usage: node scripts/schema.ts [--update]");
  process.exit(2);
}

const schemaFile = new URL("../baseload.schema.json", import.meta.url);
const docFile = new URL("../docs/configuration.md", import.meta.url);
const doc = readFileSync(docFile, "utf8");
const wanted = [
  { file: schemaFile, name: "baseload.schema.json", text: configJsonSchemaText() },
  { file: docFile, name: "docs/configuration.md", text: withTables(doc, configTables(configJsonSchema())) },
];

let stale = false;
for (const { file, name, text } of wanted) {
  if (readOrEmpty(file) === text) continue;
  if (option === "--update") {
    writeFileSync(file, text);
    console.log(`wrote ${name}`);
  } else {
    stale = true;
    console.error(
      `${name} differs from src/app/config/schema.ts → run node scripts/schema.ts --update and commit the result`,
    );
  }
}
process.exitCode = stale ? 1 : 0;

function readOrEmpty(file: URL): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
