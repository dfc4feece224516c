import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Comment, lex } from "./lex.ts";

/** One file as the rules see it. Paths are relative to the repository's root, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** The text with comments, strings and templates blanked; same offsets. */
  readonly code: string;
  readonly comments: readonly Comment[];
  readonly isTest: boolean;
}

const SOURCES = ["src", "test", "scripts", "examples", "console"].map((folder) => `${folder}/**/*.{ts,tsx}`);

/** A source of a path and its text. */
export function sourceOf(path: string, text: string): Source {
  return { path, text, ...lex(text), isTest: /\.test\.tsx?$/.test(path) };
}

/** Every TypeScript file of the repository, in the order of paths. */
export function readSources(root: string): readonly Source[] {
  return listFiles(root, SOURCES).map((path) => sourceOf(path, readFileSync(join(root, path), "utf8")));
}

/** Paths under `root` that match `patterns`, sorted, without what tools made. */
export function listFiles(root: string, patterns: readonly string[]): readonly string[] {
  const exclude = ["**/node_modules/**", "**/dist/**", "**/coverage/**"];
  return globSync([...patterns], { cwd: root, exclude })
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted();
}

/** The line, counted from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}
