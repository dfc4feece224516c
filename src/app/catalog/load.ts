import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { parse } from "yaml";
import type { z } from "zod";
import { overlay } from "../../catalog/overlay.ts";
import { readHfConfig, type ReadModel } from "../../catalog/read-config.ts";
import { readGguf } from "../../catalog/read-gguf.ts";
import type { Catalog, Model } from "../../catalog/types.ts";
import { GgufError, type GgufRead } from "../../engines/embedded/gguf-reader.ts";
import { readHeadOf } from "../../engines/embedded/model-info.ts";
import { CATALOG_FILES, OWN_FILE } from "./schema.ts";

/** Raised for a data file that cannot be used; the message says which, where in it and why. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
}

/** As far up from src/app/catalog as from lib/app/catalog of the package. */
const FOLDER = new URL("../../../data/catalog/", import.meta.url);
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
  try {
    const { metadata } = readHeadOf(file).head;
    return readGguf(new Map([...metadata].map(([key, read]) => [key, plainOf(read)])), label);
  } catch (error) {
    if (error instanceof GgufError) return { problem: error.message };
    throw error;
  }
}

/** Of an array of one number a layer, such as KV heads where layers differ, the largest. */
function plainOf(read: GgufRead): string | number | boolean | { readonly length: number } {
  if (read.kind !== "array") return typeof read.value === "bigint" ? Number(read.value) : read.value;
  const numbers = read.first.flatMap((each) => (each.kind === "number" ? [Number(each.value)] : []));
  return numbers.length > 0 && numbers.length === read.length ? Math.max(...numbers) : { length: read.length };
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
