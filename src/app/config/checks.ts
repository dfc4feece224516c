import { ENGINE_KINDS } from "../../base/engine-observation.ts";
import { addressFindings } from "./addresses.ts";
import { credentialFindings } from "./cloud-checks.ts";
import { modelFindings } from "./model-checks.ts";
import { NAME_PATTERN, NAME_REMEDY } from "./names.ts";
import { shown } from "./problems.ts";
import type { Finding, Path } from "./problems.ts";
import { URL_REMEDY } from "./upstream-fields.ts";
import { nearest } from "./suggest.ts";
import { entriesOf, fieldOf, isRecord } from "./values.ts";

/** Classes that exist without being written. */
export const BUILT_IN_CLASSES = ["standard", "interactive", "batch"] as const;

/** The site that exists when a file names none. */
export const DEFAULT_SITE = "local";

/**
 * What the schema cannot say because it spans several places. Takes the plain values of a file that may be wrong elsewhere, so
 * that one run reports everything.
 */
export function crossCheck(raw: unknown): readonly Finding[] {
  return [
    ...nameFindings(raw),
    ...backendFindings(raw),
    ...modelFindings(raw),
    ...serverFindings(raw),
    ...keyFindings(raw),
  ];
}

function nameFindings(raw: unknown): Finding[] {
  return ["sites", "backends", "classes", "tenants"].flatMap((section) =>
    entriesOf(fieldOf(raw, section))
      .filter(([name]) => !NAME_PATTERN.test(name))
      .map(([name]) => finding([section, name], "not a name", NAME_REMEDY)),
  );
}

/** Names of the sites that a file has, the default one included. */
export function siteNames(sites: unknown): readonly string[] {
  const names = entriesOf(sites).map(([name]) => name);
  return names.length > 0 ? names : [DEFAULT_SITE];
}

function backendFindings(raw: unknown): Finding[] {
  const backends = fieldOf(raw, "backends");
  const sites = siteNames(fieldOf(raw, "sites"));
  const findings: Finding[] = [];
  if (isRecord(backends) && Object.keys(backends).length === 0) {
    findings.push(finding(["backends"], "no backend is given", "add at least one, such as local: {engine: embedded}"));
  }
  for (const [name, backend] of entriesOf(backends)) {
    if (!isRecord(backend)) continue;
    findings.push(...placeFindings(name, backend), ...addressFindings(name, backend));
    findings.push(...credentialFindings(name, backend));
    const site = fieldOf(backend, "site");
    if (site === undefined && sites.length > 1) {
      findings.push(finding(["backends", name], "site is missing", `write site: with one of ${list(sites)}`));
    }
    if (typeof site === "string" && !sites.includes(site)) {
      findings.push(
        finding(["backends", name, "site"], `there is no site "${shown(site)}"`, choose(site, sites, "sites")),
      );
    }
  }
  return findings;
}

/** A backend that is reached by HTTP is at one place or at places that are found, not at both and not at none. */
function placeFindings(name: string, backend: Readonly<Record<string, unknown>>): Finding[] {
  const engine = fieldOf(backend, "engine");
  if (engine !== undefined && !([...ENGINE_KINDS, "auto"] as readonly unknown[]).includes(engine)) return [];
  const isAt = (key: string): boolean => Object.hasOwn(backend, key);
  const path = ["backends", name, "url"];
  if (isAt("url") && isAt("discover")) return [finding(path, "url and discover are both given", "keep one of them")];
  return isAt("url") || isAt("discover") ? [] : [finding(path, "missing", URL_REMEDY)];
}

function serverFindings(raw: unknown): Finding[] {
  const server = fieldOf(raw, "server");
  const findings: Finding[] = [];
  const classes = [...new Set([...BUILT_IN_CLASSES, ...entriesOf(fieldOf(raw, "classes")).map(([name]) => name)])];
  const chosen = fieldOf(server, "defaultClass");
  if (typeof chosen === "string" && !classes.includes(chosen)) {
    findings.push(
      finding(["server", "defaultClass"], `there is no class "${shown(chosen)}"`, choose(chosen, classes, "classes")),
    );
  }
  const [url, headers] = [fieldOf(server, "maxUrlBytes") ?? 8192, fieldOf(server, "maxHeaderBytes") ?? 16_384];
  if (typeof url === "number" && typeof headers === "number" && url >= headers) {
    const key = fieldOf(server, "maxUrlBytes") === undefined ? "maxHeaderBytes" : "maxUrlBytes";
    findings.push(
      finding(
        ["server", key],
        "maxHeaderBytes is not more than maxUrlBytes, which counts towards it",
        "raise maxHeaderBytes or lower maxUrlBytes",
      ),
    );
  }
  const first = fieldOf(server, "cooldownFirstMs") ?? 1000;
  const most = fieldOf(server, "cooldownMaxMs") ?? 30_000;
  if (typeof first === "number" && typeof most === "number" && first > most) {
    const key = fieldOf(server, "cooldownMaxMs") === undefined ? "cooldownFirstMs" : "cooldownMaxMs";
    findings.push(
      finding(
        ["server", key],
        "cooldownMaxMs is less than cooldownFirstMs",
        "raise cooldownMaxMs or lower cooldownFirstMs",
      ),
    );
  }
  return findings;
}

/** Two keys of one tenant need two names on receipts, and one key must not belong to two tenants. */
function keyFindings(raw: unknown): Finding[] {
  const findings: Finding[] = [];
  const sources = new Set<string>();
  for (const [tenant, value] of entriesOf(fieldOf(raw, "tenants"))) {
    const keys = fieldOf(value, "keys");
    const names = new Set<unknown>();
    for (const [index, key] of Array.isArray(keys) ? keys.entries() : []) {
      const path = ["tenants", tenant, "keys", index];
      const name = fieldOf(key, "name");
      if (typeof name === "string" && names.has(name)) {
        findings.push(
          finding([...path, "name"], "another key of this tenant has this name", "give each key a name of its own"),
        );
      }
      names.add(name);
      for (const kind of ["env", "file", "sha256"]) {
        const source = fieldOf(key, kind);
        if (typeof source !== "string") continue;
        const same = `${kind}:${kind === "sha256" ? source.toLowerCase() : source}`;
        if (sources.has(same))
          findings.push(finding([...path, kind], "another key has this source", "give each key a source of its own"));
        sources.add(same);
      }
    }
  }
  return findings;
}

function finding(path: Path, message: string, remedy: string): Finding {
  return { path, message, remedy };
}

function choose(word: string, names: readonly string[], section: string): string {
  const near = nearest(word, names);
  if (near !== null) return `did you mean ${near}?`;
  return `use one of ${list(names)}, or add it to ${section}`;
}

function list(names: readonly string[]): string {
  return names.map(shown).join(", ");
}
