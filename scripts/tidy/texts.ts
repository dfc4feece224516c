import type { Finding } from "./finding.ts";
import { type Source, lineAt } from "./source.ts";

interface Mark {
  readonly pattern: RegExp;
  readonly what: string;
  readonly instead: string;
}

// Written in pieces, so that this file does not trip over its own words.
const PLACES = ["work", "root", "home"].map((name) => `/${name}/`);
const MARKS = [
  ["TO", "DO"],
  ["FIX", "ME"],
  ["XX", "X"],
].map((halves) => halves.join(""));

const FORBIDDEN: readonly Mark[] = [
  {
    pattern: new RegExp(`(?<![\\w.}/-])(?:${PLACES.join("|")})`, "g"),
    what: "an absolute path of somebody's machine",
    instead: "write a path relative to the repository, or make a temporary folder",
  },
  {
    pattern: new RegExp(`\\b(?:${MARKS.join("|")})\\b`, "g"),
    what: "an unfinished mark",
    instead: "finish it, or say in a sentence what is left out and why",
  },
];

const UNREASONED: readonly Mark[] = [
  { pattern: /\.\s*only\s*\(|\bonly:\s*true\b/g, what: "a test that silences the others", instead: "remove `only`" },
  {
    pattern: /\b(?:test|it|describe|suite)\s*\.\s*skip\s*\(|\bskip:\s*true\b|\.\s*skip\s*\(\s*\)/g,
    what: "a skipped test without a reason",
    instead: 'write { skip: "reason" }, or call context.skip("reason")',
  },
];

/** Words that may stand in no file: paths of one machine and unfinished marks. */
export function checkTexts(files: readonly { readonly path: string; readonly text: string }[]): readonly Finding[] {
  return files.flatMap(({ path, text }) => scan({ path, text, code: text }, FORBIDDEN));
}

/** Tests that run alone or not at all must say why. */
export function checkSkips(sources: readonly Source[]): readonly Finding[] {
  return sources
    .filter((each) => each.isTest || each.path.startsWith("test/"))
    .flatMap((each) => scan(each, UNREASONED));
}

function scan(file: { path: string; text: string; code: string }, marks: readonly Mark[]): readonly Finding[] {
  return marks.flatMap(({ pattern, what, instead }) =>
    [...file.code.matchAll(pattern)].map((match) => {
      const line = lineAt(file.text, match.index);
      return { file: file.path, line, rule: "texts", what: `${what}: ${match[0]}`, instead };
    }),
  );
}
