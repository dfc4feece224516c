import type { Accelerator, Catalog, Grid, Model, Precision, Price, PriceKind } from "./types.ts";

interface Named {
  readonly id: string;
  readonly aliases: readonly string[];
}

/** The accelerator of this id or alias, or null. Case, spaces and punctuation are not told apart. */
export function findAccelerator(catalog: Catalog, name: string): Accelerator | null {
  return find(catalog.accelerators, name);
}

/** The model of this id or alias, or null. A Hugging Face owner before a slash is passed over. */
export function findModel(catalog: Catalog, name: string): Model | null {
  return find(catalog.models, name.slice(name.lastIndexOf("/") + 1));
}

/** The precision of this id or alias, or null. */
export function findPrecision(catalog: Catalog, name: string): Precision | null {
  return find(catalog.precisions, name);
}

/** The grid of this zone, or null. */
export function findGrid(catalog: Catalog, zone: string): Grid | null {
  return catalog.grids.find((each) => each.zone === zone.toUpperCase()) ?? null;
}

/** Prices of one kind for an accelerator; those of its chip where the machine itself has none. */
export function pricesOf(catalog: Catalog, accelerator: Accelerator, kind: PriceKind): readonly Price[] {
  const own = catalog.prices.filter((each) => each.accelerator === accelerator.id && each.kind === kind);
  if (own.length > 0 || accelerator.chip === null) return own;
  return catalog.prices.filter((each) => each.accelerator === accelerator.chip && each.kind === kind);
}

function find<T extends Named>(entries: readonly T[], name: string): T | null {
  const wanted = plain(name);
  return (
    entries.find((each) => plain(each.id) === wanted) ??
    entries.find((each) => each.aliases.some((alias) => plain(alias) === wanted)) ??
    null
  );
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9.]/g, "");
}
