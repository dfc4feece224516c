import type { Accelerator, Catalog, Grid, Model, Precision, Price } from "./types.ts";

/** What a user's file adds to the catalogue, or puts in the place of an entry of the same name. */
export interface Overlay {
  readonly accelerators: readonly Accelerator[];
  readonly models: readonly Model[];
  readonly precisions: readonly Precision[];
  /** A price replaces those of the same accelerator, kind and tier. */
  readonly prices: readonly Price[];
  readonly grids: readonly Grid[];
}

/** The catalogue with a user's entries; its version says that it is no longer the published one. */
export function overlay(catalog: Catalog, own: Overlay): Catalog {
  return {
    ...catalog,
    catalogVersion: `${catalog.catalogVersion}+own`,
    accelerators: replace(catalog.accelerators, own.accelerators, (each) => each.id),
    models: replace(catalog.models, own.models, (each) => each.id),
    precisions: replace(catalog.precisions, own.precisions, (each) => each.id),
    prices: replace(catalog.prices, own.prices, (each) => `${each.accelerator} ${each.kind} ${each.tier}`),
    grids: replace(catalog.grids, own.grids, (each) => each.zone),
  };
}

/** The user's come first, so that their aliases win too. */
function replace<T>(old: readonly T[], own: readonly T[], key: (entry: T) => string): readonly T[] {
  const taken = new Set(own.map(key));
  return [...own, ...old.filter((each) => !taken.has(key(each)))];
}
