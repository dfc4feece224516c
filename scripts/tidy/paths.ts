import { globSync } from "node:fs";
import type { Finding } from "./finding.ts";

/** The file whose table is checked. */
export const ARCHITECTURE = "ARCHITECTURE.md";

const RULE = "paths";
const HEADER = /^\|\s*to change\b/i;

/** Every path in the "To change X, open Y" table exists, so that the table stays true. */
export function checkPaths(root: string, architecture: string | null): readonly Finding[] {
  if (architecture === null) {
    const instead = "write it: problem, overview, the life of one request, decisions with reasons, what to open";
    return [{ file: ARCHITECTURE, line: 1, rule: RULE, what: "the file is missing", instead }];
  }
  const lines = architecture.split("\n");
  const header = lines.findIndex((line) => HEADER.test(line));
  if (header === -1) {
    const instead = "add a table whose header row is | To change | open |";
    return [{ file: ARCHITECTURE, line: 1, rule: RULE, what: 'there is no table "To change X, open Y"', instead }];
  }
  const findings: Finding[] = [];
  for (let index = header + 1; (lines[index] ?? "").startsWith("|"); index += 1) {
    for (const path of pathsIn(lines[index] ?? "")) {
      if (globSync(path, { cwd: root }).length > 0) continue;
      const instead = "name the file that is there now, or write it";
      findings.push({ file: ARCHITECTURE, line: index + 1, rule: RULE, what: `${path} does not exist`, instead });
    }
  }
  return findings;
}

/** Backticked words that are paths: with a slash inside, or a file's ending. Commands, routes and scoped packages are none. */
function pathsIn(row: string): readonly string[] {
  const words = [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
  return words.filter(
    (word) => !/\s|^[/@]|:/.test(word) && (word.includes("/") || /\.(?:ts|md|json|yaml|mjs)$/.test(word)),
  );
}
