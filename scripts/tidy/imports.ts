import { posix } from "node:path";
import { type Source, lineAt } from "./source.ts";

/** One import, re-export or dynamic import of a literal. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type` or `export type`: gone at run time. `import { type A }` still loads the file. */
  readonly typeOnly: boolean;
}

const STATIC = /^[ \t]*(?:import|export)\s+(type\s+(?!from\b)|)(?:[\w$*{][^"'`;()=]*?\bfrom\s*)?(?=["'])/gm;
const DYNAMIC = /(?<![.\w$])(typeof\s+)?import\s*\(\s*(?=["'`])/g;

/** What a file imports. */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = [];
  for (const pattern of [STATIC, DYNAMIC]) {
    for (const match of source.code.matchAll(pattern)) {
      const open = match.index + match[0].length;
      const close = source.code.indexOf(source.code.charAt(open), open + 1);
      found.push({
        specifier: source.text.slice(open + 1, close),
        line: lineAt(source.text, open),
        typeOnly: (match[1] ?? "") !== "",
      });
    }
  }
  return found;
}

/** The repository path that a relative specifier in `from` names, or null for packages and built-in modules. */
export function resolveImport(from: string, specifier: string): string | null {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : null;
}
