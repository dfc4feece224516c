import type { Finding } from "./finding.ts";
import { importsOf } from "./imports.ts";
import { packageOf } from "./layers.ts";
import type { Source } from "./source.ts";

/** What the rules read of package.json. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, unknown>>;
}

const KINDS = ["dependencies", "optionalDependencies", "devDependencies"] as const;
const EXACT = /^(?:npm:(?:@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** Versions in package.json are exact, so that what was tested is what is installed. */
export function checkVersions(text: string): readonly Finding[] {
  const manifest = JSON.parse(text) as Manifest;
  const groups = [...KINDS.map((kind) => manifest[kind] ?? {}), manifest.overrides ?? {}];
  return groups.flatMap(flatten).flatMap(([name, version]) => {
    if (EXACT.test(version)) return [];
    const line = lineOf(text, `"${name}"`);
    const what = `${name} is ${JSON.stringify(version)}, which is no exact version`;
    return [{ file: "package.json", line, rule: "versions", what, instead: "pin it, as in 1.2.3" }];
  });
}

/** Name and version of each entry; overrides may nest. */
function flatten(group: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(group).flatMap(([name, value]) =>
    typeof value === "object" && value !== null
      ? flatten(value as Readonly<Record<string, unknown>>)
      : [[name, String(value)] as const],
  );
}

/** Every dependency has a row with its reason in a table of ARCHITECTURE.md: `| package | why |`, the name in backticks. */
export function checkReasons(manifestText: string, architecture: string | null): readonly Finding[] {
  const manifest = JSON.parse(manifestText) as Manifest;
  const reasons = new Set<string>();
  for (const row of (architecture ?? "").matchAll(/^\|([^|]*)\|\s*[^|\s-][^|]*\|/gm)) {
    for (const name of (row[1] ?? "").matchAll(/`([^`]+)`/g)) reasons.add(name[1] ?? "");
  }
  const names = KINDS.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  return names
    .filter((name) => !reasons.has(name))
    .map((name) => ({
      file: "package.json",
      line: lineOf(manifestText, `"${name}"`),
      rule: "dependencies",
      what: `${name} has no reason in ARCHITECTURE.md`,
      instead: `add the row | \`${name}\` | why it is needed | to its table of dependencies, or remove the package`,
    }));
}

/** Packages that files import are named in package.json, and what src runs is no development dependency. */
export function checkDeclared(sources: readonly Source[], manifestText: string): readonly Finding[] {
  const manifest = JSON.parse(manifestText) as Manifest;
  const shipped = new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }));
  const known = new Set([...shipped, ...Object.keys(manifest.devDependencies ?? {})]);
  return sources.flatMap((source) => {
    const ships = source.path.startsWith("src/") && !source.isTest;
    return importsOf(source).flatMap((each) => {
      const name = packageOf(each.specifier);
      if (/^(?:[./#]|node:)/.test(each.specifier) || (ships && !each.typeOnly ? shipped : known).has(name)) return [];
      const what = known.has(name) ? `${name} is only a development dependency` : `${name} is not in package.json`;
      const instead = known.has(name)
        ? "move it to dependencies"
        : "add it with its reason, or write node: before a built-in module";
      return [{ file: source.path, line: each.line, rule: "dependencies", what, instead }];
    });
  });
}

interface Locked extends Manifest {
  readonly version?: string;
}

const LOCK = { file: "package-lock.json", rule: "lockfile" } as const;

/** The lockfile names no registry, installs everywhere, and says what package.json says. */
export function checkLockfile(text: string, manifestText: string): readonly Finding[] {
  const packages = (JSON.parse(text) as { readonly packages?: Readonly<Record<string, Locked>> }).packages ?? {};
  return [...addresses(text), ...missingOptional(packages, text), ...outOfStep(packages[""] ?? {}, manifestText)];
}

function addresses(text: string): readonly Finding[] {
  const instead = "keep omit-lockfile-registry-resolved=true in .npmrc and write the lockfile again with npm install";
  const findings: Finding[] = [];
  let fundingDepth: number | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    const depth = line.length - line.trimStart().length;
    if (fundingDepth !== null && depth <= fundingDepth) fundingDepth = null;
    const opens = /^\s*"funding": [[{]/.test(line);
    if (opens) fundingDepth = depth;
    const funding = fundingDepth !== null || /^\s*"funding":/.test(line);
    const at = { ...LOCK, line: index + 1, instead };
    if (/"resolved"\s*:/.test(line)) findings.push({ ...at, what: "a `resolved` address" });
    else if (!funding && /https?:\/\//.test(line)) findings.push({ ...at, what: "an http address" });
  }
  return findings;
}

function missingOptional(packages: Readonly<Record<string, Locked>>, text: string): readonly Finding[] {
  return Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => !resolves(packages, path, name))
      .map((name) => ({
        ...LOCK,
        line: lineOf(text, `"${name}"`),
        what: `${name}, optional for ${path || "the project"}, has no entry, so npm ci fails`,
        instead: "choose a version whose optional packages all exist, or override it with an empty package",
      })),
  );
}

/** Looks where Node would look: beside the package, then in each folder above. */
function resolves(packages: Readonly<Record<string, Locked>>, from: string, name: string): boolean {
  let folder = from;
  for (;;) {
    if (Object.hasOwn(packages, `${folder === "" ? "" : `${folder}/`}node_modules/${name}`)) return true;
    if (folder === "") return false;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")));
  }
}

function outOfStep(root: Manifest, manifestText: string): readonly Finding[] {
  const manifest = JSON.parse(manifestText) as Manifest;
  const sorted = (group: Readonly<Record<string, string>> = {}): string =>
    JSON.stringify(Object.entries(group).toSorted());
  return KINDS.filter((kind) => sorted(root[kind]) !== sorted(manifest[kind])).map((kind) => ({
    ...LOCK,
    line: 1,
    what: `its ${kind} are not those of package.json, so npm ci fails`,
    instead: "run npm install and keep the new lockfile",
  }));
}

function lineOf(text: string, needle: string): number {
  const at = text.indexOf(needle);
  return at === -1 ? 1 : text.slice(0, at).split("\n").length;
}
