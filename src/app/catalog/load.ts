import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, extname } from "node:path";
import { parse } from "yaml";
import type { z } from "zod";
import { overlay } from "../../catalog/overlay.ts";
import { readHfConfig, type ReadModel } from "../../catalog/read-config.ts";
import { parseGgufHeader, readGguf } from "../../catalog/read-gguf.ts";
import type { Catalog, Model } from "../../catalog/types.ts";
import { CATALOG_FILES, OWN_FILE } from "./schema.ts";

/** Raised for a data file that cannot be used; the message says which, where in it and why. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
}

/** As far up from src/app/catalog as from lib/app/catalog of the package. */
const FOLDER = new URL("../../../data/catalog/", import.meta.url);
/** Vocabularies are in the header, so it is megabytes long; tensors follow it and are not read. */
const GGUF_HEADER_BYTES = 64 * 1024 * 1024;
const PROBLEMS_NAMED = 5;

/** The catalogue that comes with Baseload, with the entries of the user's own file, JSON or YAML, where one is given. */
export function loadCatalog(ownFile: string | null): Catalog {
  const sources = readPart("sources");
  const catalog: Catalog = {
    catalogVersion: sources.catalogVersion,
    sources: sources.sources,
    accelerators: readPart("accelerators").accelerators,
    models: readPart("models").models,
    precisions: readPart("precisions").precisions,
    prices: readPart("prices").prices,
    grids: readPart("grids").grids,
  };
  if (ownFile === null) return catalog;
  return overlay(catalog, check(OWN_FILE, parseText(ownFile, readText(ownFile)), ownFile));
}

/** A model from a file: a Hugging Face `config.json`, or a GGUF. `today` is the day, as YYYY-MM-DD, on which it was read. */
export function loadModel(file: string, today: string): Model {
  const label = { id: basename(file, extname(file)).toLowerCase(), source: basename(file), date: today };
  const read = extname(file).toLowerCase() === ".gguf" ? readGgufFile(file, label) : readHfConfig(json(file), label);
  if ("problem" in read) throw new CatalogError(`${file} cannot be read as a model: ${read.problem}`);
  return read.model;
}

function readGgufFile(file: string, label: Parameters<typeof readGguf>[1]): ReadModel {
  const metadata = parseGgufHeader(head(file));
  return metadata === null ? { problem: "it has no GGUF header of version 2 or 3" } : readGguf(metadata, label);
}

function head(file: string): Uint8Array {
  const handle = openSync(file, "r");
  try {
    const bytes = new Uint8Array(GGUF_HEADER_BYTES);
    return bytes.subarray(0, readSync(handle, bytes, 0, GGUF_HEADER_BYTES, 0));
  } finally {
    closeSync(handle);
  }
}

function json(file: string): unknown {
  return parseText(file, readText(file));
}

function readPart<N extends keyof typeof CATALOG_FILES>(name: N): z.infer<(typeof CATALOG_FILES)[N]> {
  const file = `${name}.json`;
  return check(CATALOG_FILES[name], JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")), file) as z.infer<
    (typeof CATALOG_FILES)[N]
  >;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CatalogError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseText(file: string, text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (error) {
    throw new CatalogError(
      `${file} is neither JSON nor YAML: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function check<S extends z.ZodType>(schema: S, value: unknown, file: string): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const some = result.error.issues
    .slice(0, PROBLEMS_NAMED)
    .map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
  throw new CatalogError(`${file} does not have the catalogue's shape: ${some.join("; ")}`);
}
