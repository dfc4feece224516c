import type { Finding } from "./finding.ts";
import { type Import, importsOf, resolveImport } from "./imports.ts";
import type { Source } from "./source.ts";

/** What one folder may import. Its own files always; everything else is named here. */
export interface Layer {
  /** Folders whose values and types it may import. */
  readonly values: readonly string[];
  /** Folders of which it may import types alone, by `import type`. */
  readonly types?: readonly string[];
  /** Single files, as `folder/file.ts`, whose values it may import. */
  readonly files?: readonly string[];
  readonly packages: readonly string[] | "any";
  readonly builtins: readonly string[] | "any";
}

const NONE = { packages: [], builtins: [] } as const;
const FREE = { packages: "any", builtins: "any" } as const;
const FOLDERS =
  "base catalog cost policy dispatch ledger audit kernel wire ports sim plan live engines gateway app".split(" ");

/** DESIGN's import table. A folder that is not here may not exist. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  base: { values: [], ...NONE },
  catalog: { values: ["base"], ...NONE },
  policy: { values: ["base"], ...NONE },
  ledger: { values: ["base"], ...NONE },
  audit: { values: ["base"], packages: [], builtins: ["node:crypto"] },
  cost: { values: ["base", "catalog"], ...NONE },
  dispatch: { values: ["base", "catalog", "cost", "policy"], ...NONE },
  kernel: { values: ["base", "catalog", "cost", "policy", "dispatch", "ledger", "audit"], ...NONE },
  wire: { values: ["base"], packages: ["typebox"], builtins: [] },
  ports: { values: ["base"], types: ["kernel"], ...NONE },
  engines: { values: ["base", "wire", "ports"], ...FREE },
  gateway: { values: ["base", "wire", "ports"], types: ["kernel"], ...FREE },
  live: {
    values: ["base", "ports", "kernel", "policy"],
    types: ["ledger", "audit"],
    files: ["ledger/codec.ts", "audit/codec.ts", "audit/leaf.ts", "audit/tiles.ts", "audit/checkpoint.ts"],
    ...FREE,
  },
  sim: { values: ["base", "catalog", "cost", "ports", "kernel"], types: ["dispatch", "ledger"], ...NONE },
  plan: {
    values: ["base", "catalog", "cost", "sim"],
    types: ["kernel"],
    packages: ["highs"],
    builtins: ["node:worker_threads"],
  },
  app: { values: FOLDERS.filter((each) => each !== "app"), ...FREE },
  console: { values: [], types: ["wire"], packages: "any", builtins: [] },
  test: { values: [...FOLDERS, "scripts"], ...FREE },
  scripts: { values: [...FOLDERS, "test"], ...FREE },
  examples: { values: [], ...FREE },
};

/** What a folder's tests may use besides: helpers, the runner, and files to compare with. */
const TESTS = {
  values: ["test"],
  packages: ["fast-check"],
  builtins: ["node:test", "node:assert", "node:assert/strict", "node:fs", "node:path", "node:url"],
};

/** Folders whose tests may run them in the simulated world. */
const SIMULATED = new Set(["kernel", "dispatch"]);

/** The layer that a path belongs to: a folder of src, or a folder of the root. */
export function layerOf(path: string): string {
  const [root = "", folder = ""] = path.split("/");
  return root === "src" ? folder : root;
}

/** Imports against the table. */
export function checkLayers(sources: readonly Source[]): readonly Finding[] {
  return sources.flatMap((source) => {
    const name = layerOf(source.path);
    const layer = Object.hasOwn(LAYERS, name) ? LAYERS[name] : undefined;
    if (layer === undefined) return [unknownFolder(source.path, name)];
    const allowed = source.isTest ? forTests(name, layer) : layer;
    return importsOf(source).flatMap((each) => checkImport({ source, name, allowed }, each));
  });
}

interface Place {
  readonly source: Source;
  readonly name: string;
  readonly allowed: Layer;
}

function forTests(name: string, layer: Layer): Layer {
  const join = (own: readonly string[] | "any", more: readonly string[]): readonly string[] | "any" =>
    own === "any" ? own : [...own, ...more];
  return {
    ...layer,
    values: [...layer.values, ...TESTS.values, ...(SIMULATED.has(name) ? ["sim"] : [])],
    packages: join(layer.packages, TESTS.packages),
    builtins: join(layer.builtins, TESTS.builtins),
  };
}

function checkImport(place: Place, each: Import): readonly Finding[] {
  const { source, name, allowed } = place;
  const at = { file: source.path, line: each.line, rule: "layers" };
  const target = resolveImport(source.path, each.specifier);
  if (target === null) {
    const builtin = each.specifier.startsWith("node:");
    const list = builtin ? allowed.builtins : allowed.packages;
    if (list === "any" || list.includes(builtin ? each.specifier : packageOf(each.specifier))) return [];
    const instead = builtin
      ? "let a shell in live, engines, gateway or app do it and pass the result in as a value"
      : "write it here, or name the package in scripts/tidy/layers.ts with the folder's owner's consent";
    return [{ ...at, what: `${name} may not import ${each.specifier}`, instead }];
  }
  const to = layerOf(target);
  if (to === name || allowed.values.includes(to)) return [];
  if (allowed.files?.includes(target.replace(/^src\//, "")) === true) return [];
  const typesAllowed = allowed.types?.includes(to) === true;
  if (typesAllowed && each.typeOnly) return [];
  const what = `${name} may not import ${typesAllowed ? "values of " : ""}${to}`;
  const instead = typesAllowed
    ? "use `import type`, or have the value passed in"
    : `import from ${allowed.values.join(", ") || "its own folder"} alone; move what both need down, or pass it in`;
  return [{ ...at, what, instead }];
}

/** The package of a specifier: `@a/b/c` is in `@a/b`. */
export function packageOf(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

function unknownFolder(file: string, name: string): Finding {
  const instead = "put the file into a folder of the table in scripts/tidy/layers.ts, or give the folder a row there";
  return { file, line: 1, rule: "layers", what: `the folder ${JSON.stringify(name)} is in no layer`, instead };
}
