import { resolve } from "node:path";
import { present } from "../../base/assert.ts";
import type { SecretSource } from "./types.ts";

/** Where a secret comes from, its path made absolute. `from` is the folder of the configuration. */
export function secretSource(
  source: { readonly env?: string | undefined; readonly file?: string | undefined },
  from: string,
): SecretSource {
  if (source.env !== undefined) return { env: source.env };
  return { file: resolve(from, present(source.file, "the schema lets a source have exactly one of env and file")) };
}

/** Headers by their names in lower case. */
export function lowerCased(headers: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}
