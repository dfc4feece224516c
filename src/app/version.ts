import { readFileSync } from "node:fs";

/** Baseload's version, from its package.json. */
export const VERSION: string = manifest().version;

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Manifest;
}

const EMBEDDED_PACKAGES = ["node-llama-cpp", "@huggingface/jinja"];

/**
 * How to get the packages of the embedded engine, or null when they are installed: a package of Baseload has them as optional
 * peers, since they are large and a gateway before other engines does without.
 */
export function missingEmbeddedEngine(): string | null {
  const missing = EMBEDDED_PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length === 0) return null;
  const { dependencies, peerDependencies } = manifest();
  const wanted = missing.map((name) => `${name}@${peerDependencies?.[name] ?? dependencies?.[name] ?? "latest"}`);
  return `the embedded engine needs ${missing.join(" and ")}, not installed here; run \`npm install ${wanted.join(" ")}\`, or name backends by url in baseload.yaml`;
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}
