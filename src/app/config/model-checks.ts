import { matches } from "../../policy/model-names.ts";
import { embeddedName } from "./embedded-name.ts";
import type { Finding, Path } from "./problems.ts";
import { shown } from "./problems.ts";
import { nearest } from "./suggest.ts";
import { entriesOf, fieldOf } from "./values.ts";

/** What is wrong with the names of models, over the whole file: families, aliases, and whom they lead to. */
export function modelFindings(raw: unknown): Finding[] {
  return [...familyFindings(raw), ...ruleFindings(raw), ...aliasFindings(raw)];
}

/** A name in the file, and where it is. */
interface Written {
  readonly name: string;
  readonly path: Path;
}

function texts(value: unknown, path: Path): Written[] {
  const list = Array.isArray(value) ? value : [];
  return list.flatMap((name: unknown, index) => (typeof name === "string" ? [{ name, path: [...path, index] }] : []));
}

/** The names under which backends have models, `*` for any; a backend that is asked for its names has null. */
function backendModels(
  raw: unknown,
): readonly (Written & { readonly backend: string; readonly upstream: unknown })[] | null {
  const backends = entriesOf(fieldOf(raw, "backends"));
  const all = backends.map(([backend, value]) => {
    const path = ["backends", backend, "models"];
    if (["embedded", "llama-server"].includes(String(fieldOf(value, "engine")))) {
      const [name, model] = [fieldOf(value, "name"), fieldOf(value, "model")].map((each) =>
        typeof each === "string" ? each : undefined,
      );
      return [{ backend, path: ["backends", backend], name: embeddedName({ name, model }), upstream: null }];
    }
    const models = fieldOf(value, "models");
    if (models === undefined) return null;
    if (models === "*") return [{ backend, path, name: "*", upstream: "*" }];
    const listed = texts(models, path).map((each) => ({ ...each, backend, upstream: each.name }));
    const mapped = entriesOf(models).map(([name, upstream]) => ({ backend, name, upstream, path: [...path, name] }));
    return [...listed, ...mapped];
  });
  return all.includes(null) ? null : all.flatMap((each) => each ?? []);
}

const STAR_REMEDY = "write one star, at the end, such as gpt-*";

function starFinding({ name, path }: Written): Finding[] {
  const star = name.indexOf("*");
  if (star === -1 || star === name.length - 1) return [];
  return [{ path, message: "a star stands for the rest of a name, at its end", remedy: STAR_REMEDY }];
}

function familyFindings(raw: unknown): Finding[] {
  const known = entriesOf(fieldOf(raw, "backends")).flatMap(
    ([name, value]) => backendModels({ backends: { [name]: value } }) ?? [],
  );
  return known.flatMap(({ name, path, upstream }) => {
    if (upstream === null) return [];
    const findings = starFinding({ name, path });
    const stars = typeof upstream === "string" ? upstream.split("*").length - 1 : 0;
    if (stars > 1) findings.push({ path, message: "the backend's name has several stars", remedy: "keep one of them" });
    else if (stars === 1 && !name.endsWith("*")) {
      const message = "nothing stands for the star in the backend's name";
      findings.push({ path, message, remedy: "write the name in full, or end the client's name with a star too" });
    }
    return findings;
  });
}

function ruleFindings(raw: unknown): Finding[] {
  return entriesOf(fieldOf(raw, "tenants")).flatMap(([tenant, value]) => {
    const path = ["tenants", tenant];
    const keys = fieldOf(value, "keys");
    const holders = [
      { value, path },
      ...(Array.isArray(keys) ? keys : []).map((key: unknown, index) => ({
        value: key,
        path: [...path, "keys", index],
      })),
    ];
    return holders.flatMap((holder) =>
      ["models", "denyModels"].flatMap((rule) =>
        texts(fieldOf(holder.value, rule), [...holder.path, rule]).flatMap(starFinding),
      ),
    );
  });
}

/** An alias, where it is written, and the names that it leads to. */
interface Alias extends Written {
  readonly targets: readonly Written[];
}

function aliasFindings(raw: unknown): Finding[] {
  const entries = entriesOf(fieldOf(raw, "models"));
  const aliases = aliasesOf(entries);
  const names = entries.map(([name]) => ({ name, path: ["models", name] }));
  return [
    ...[...names, ...aliases.filter(({ path }) => path.length > 2)].flatMap(wholeName),
    ...entries.flatMap(([name, entry]) => mixedFinding(name, entry)),
    ...ambiguous(raw, aliases),
    ...aliases.flatMap((alias) => unknownTargets(raw, alias, aliases)),
    ...cycles(aliases),
  ];
}

function aliasesOf(entries: readonly (readonly [string, unknown])[]): readonly Alias[] {
  return entries.flatMap(([name, entry]): Alias[] => {
    const path = ["models", name];
    const aliasOf = fieldOf(entry, "aliasOf");
    const targets =
      typeof aliasOf === "string"
        ? [{ name: aliasOf, path: [...path, "aliasOf"] }]
        : texts(aliasOf, [...path, "aliasOf"]);
    const others = texts(fieldOf(entry, "aliases"), [...path, "aliases"]);
    return [
      ...(aliasOf === undefined ? [] : [{ name, path, targets }]),
      ...others.map((alias) => ({ ...alias, targets: [{ name, path: alias.path }] })),
    ];
  });
}

function wholeName({ name, path }: Written): Finding[] {
  if (!name.includes("*")) return [];
  return [
    { path, message: "a family of names cannot stand here", remedy: "write the name of one model, without a star" },
  ];
}

function mixedFinding(name: string, entry: unknown): Finding[] {
  const others = entriesOf(entry).filter(([key]) => key !== "aliasOf");
  if (fieldOf(entry, "aliasOf") === undefined) return [];
  return others.map(([key]) => ({
    path: ["models", name, key],
    message: "an alias has nothing of its own",
    remedy: "write this at the model that it stands for, or remove aliasOf",
  }));
}

/** A name means one thing: one alias, or a model, and not both. */
function ambiguous(raw: unknown, aliases: readonly Alias[]): Finding[] {
  const models = new Set(entriesOf(fieldOf(raw, "models")).map(([name]) => name));
  const served = new Map(
    entriesOf(fieldOf(raw, "backends")).flatMap(([name, value]) =>
      (backendModels({ backends: { [name]: value } }) ?? []).map((each) => [each.name, each.backend] as const),
    ),
  );
  const remedy = "give the alias a name of its own";
  const taken = new Set<string>();
  return aliases.flatMap(({ name, path }): Finding[] => {
    const backend = served.get(name);
    const isEntry = path.length > 2 && models.has(name);
    const isTaken = taken.has(name);
    taken.add(name);
    if (isTaken || isEntry) return [{ path, message: `the name "${shown(name)}" has two meanings in models`, remedy }];
    if (backend === undefined) return [];
    return [{ path, message: `the backend "${shown(backend)}" has a model of this name`, remedy }];
  });
}

function unknownTargets(raw: unknown, alias: Alias, aliases: readonly Alias[]): Finding[] {
  const served = backendModels(raw);
  // A backend that is asked for its names may have any.
  if (served === null) return [];
  const models = entriesOf(fieldOf(raw, "models")).map(([name]) => name);
  const known = [...new Set([...served.map(({ name }) => name), ...models, ...aliases.map(({ name }) => name)])];
  return alias.targets
    .filter(({ name }) => !known.some((pattern) => matches(pattern, name)))
    .map(({ name, path }) => {
      const near = nearest(
        name,
        known.filter((each) => each !== alias.name),
      );
      const remedy =
        near === null ? "add it to a backend's models, or correct the name" : `did you mean ${shown(near)}?`;
      return { path, message: `no backend has a model "${shown(name)}"`, remedy };
    });
}

/** Aliases that lead back to themselves, each once, at the alias that comes first in the file. */
function cycles(aliases: readonly Alias[]): Finding[] {
  const targets = new Map(aliases.map(({ name, targets: to }) => [name, to.map((each) => each.name)]));
  const seen = new Set<string>();
  const findings: Finding[] = [];
  const walk = (name: string, trail: readonly string[]): void => {
    const at = trail.indexOf(name);
    if (at !== -1) {
      const ring = trail.slice(at);
      const start = aliases.find((each) => ring.includes(each.name));
      const key = ring.toSorted().join("\n");
      if (start === undefined || seen.has(key)) return;
      seen.add(key);
      const words = [...ring, name].map(shown).join(" → ");
      findings.push({
        path: start.path,
        message: `the alias leads back to itself: ${words}`,
        remedy: "let it end at a model",
      });
      return;
    }
    for (const next of targets.get(name) ?? []) walk(next, [...trail, name]);
  };
  for (const { name } of aliases) walk(name, []);
  return findings;
}
