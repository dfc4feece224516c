/**
 * The style as a test: `node scripts/tidy.ts [ROOT]`. Each rule is a file of scripts/tidy. Prints `file:line: rule: what → what to
 * do instead` and exits with 1 when anything is wrong.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkBans } from "./tidy/bans.ts";
import { checkCycles } from "./tidy/cycles.ts";
import { checkFences, fencesOf } from "./tidy/fences.ts";
import { type Finding, printFinding } from "./tidy/finding.ts";
import { checkLayers } from "./tidy/layers.ts";
import { measureSources } from "./tidy/measures.ts";
import { checkDeclared, checkLockfile, checkReasons, checkVersions } from "./tidy/packages.ts";
import { ARCHITECTURE, checkPaths } from "./tidy/paths.ts";
import { EXCEPTIONS, type Exceptions, checkRatchet } from "./tidy/ratchet.ts";
import { listFiles, readSources } from "./tidy/source.ts";
import { checkSkips, checkTexts } from "./tidy/texts.ts";

const TEXTS = [
  "{src,test,scripts,examples,console,docs,bin,data}/**/*.{ts,tsx,mjs,js,css,html,md,json,yaml,yml}",
  "*.{md,json,yaml,yml}",
  ".ci/run",
  ".{oxlintrc,oxfmtrc}.json",
];
const DOCUMENTS = ["README.md", "docs/**/*.md"];

function tidy(root: string): { readonly files: number; readonly findings: readonly Finding[] } {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const sources = readSources(root);
  const texts = listFiles(root, TEXTS).filter((path) => path !== "package-lock.json");
  const manifest = read("package.json");
  const architecture = existsSync(join(root, ARCHITECTURE)) ? read(ARCHITECTURE) : null;
  const findings = [
    ...checkLayers(sources),
    ...checkBans(sources),
    ...checkCycles(sources),
    ...checkRatchet(measureSources(sources), JSON.parse(read(EXCEPTIONS)) as Exceptions),
    ...checkVersions(manifest),
    ...checkReasons(manifest, architecture),
    ...checkDeclared(sources, manifest),
    ...checkLockfile(read("package-lock.json"), manifest),
    ...checkTexts(texts.map((path) => ({ path, text: read(path) }))),
    ...checkSkips(sources),
    ...checkPaths(root, architecture),
    ...checkFences(listFiles(root, DOCUMENTS).flatMap((path) => fencesOf(path, read(path)))),
  ];
  return { files: texts.length, findings };
}

const { files, findings } = tidy(process.argv[2] ?? join(import.meta.dirname, ".."));
for (const finding of findings) console.log(printFinding(finding));
console.log(findings.length === 0 ? `tidy: ${files} files, nothing to do` : `tidy: ${findings.length} things to do`);
process.exitCode = findings.length === 0 ? 0 : 1;
