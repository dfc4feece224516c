import { type FoundFunction, functionsOf } from "./functions.ts";
import type { Measure } from "./ratchet.ts";
import { type Source, lineAt } from "./source.ts";

const FILE_LINES = 500;
const FUNCTION_LINES = 70;
const PARAMETERS = 3;
const EXPORTS = 7;

/** Callbacks that only hold other functions; each of those is measured by itself. */
const CONTAINERS = new Set(["describe", "suite"]);

const DECLARED =
  /^export\s+(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(function|class|const|let|var|enum)\b\s*\*?\s*([\w$]*)/gm;
const LISTED = /^export\s*(?:\{([^}]*)\}|(\*))/gm;
const DEFAULT = /^export\s+default\b(?!\s+(?:abstract\s+)?(?:async\s+)?(?:function|class)\b)/gm;
const ANY = /(?::|\bas|<|\bextends)\s*any\b(?!\s*[:(.])|(?:,|(?<![|&])[|&]|=)\s*any\b(?!\s*[:(.=!?])|\bany\s*\[\s*\]/g;

/** Everything that has a limit, measured over all sources. */
export function measureSources(sources: readonly Source[]): readonly Measure[] {
  return sources.flatMap((source) => [
    measureLines(source),
    ...functionsOf(source.code).flatMap((each) => measureFunction(source, each)),
    measureExports(source),
    measureAny(source),
    measureDocstrings(source),
  ]);
}

function measureLines(source: Source): Measure {
  const value = source.text.split("\n").length - (source.text.endsWith("\n") ? 1 : 0);
  return {
    rule: "file-lines",
    key: source.path,
    file: source.path,
    line: 1,
    value,
    limit: FILE_LINES,
    what: `the file has ${value} lines`,
    instead: "split it: one thing per file, named by its word",
  };
}

function measureFunction(source: Source, each: FoundFunction): readonly Measure[] {
  const line = lineAt(source.text, each.start);
  const place = { key: `${source.path}#${each.name}`, file: source.path, line };
  const lines = lineAt(source.text, each.end) - line + 1;
  const container = source.isTest && each.passedTo !== null && CONTAINERS.has(each.passedTo);
  return [
    {
      ...place,
      rule: "parameters",
      value: each.parameters,
      limit: PARAMETERS,
      what: `${each.name} takes ${each.parameters} parameters`,
      instead: "take one options object",
    },
    {
      ...place,
      rule: "function-lines",
      value: container ? 0 : lines,
      limit: FUNCTION_LINES,
      what: `${each.name} has ${lines} lines`,
      instead: "split it: the branches stay here, the leaves become functions",
    },
  ];
}

function measureExports(source: Source): Measure {
  const names = new Set<string>();
  for (const match of source.code.matchAll(DECLARED)) names.add(match[2] || `pattern at ${match.index}`);
  for (const match of source.code.matchAll(DEFAULT)) names.add(`default at ${match.index}`);
  for (const match of source.code.matchAll(LISTED)) {
    const listed = (match[1] ?? match[2] ?? "").split(",").map((name) => name.trim());
    for (const name of listed) if (name !== "" && !name.startsWith("type ")) names.add(name);
  }
  return {
    rule: "exports",
    key: source.path,
    file: source.path,
    line: 1,
    value: names.size,
    limit: EXPORTS,
    what: `the file exports ${names.size} functions, classes and values`,
    instead: "split it, or keep to itself what others need not see",
  };
}

function measureAny(source: Source): Measure {
  const uses = [...source.code.matchAll(ANY)];
  return {
    rule: "any",
    key: source.path,
    file: source.path,
    line: lineAt(source.text, uses[0]?.index ?? 0),
    value: uses.length,
    limit: 0,
    what: `the type any is used ${times(uses.length)}`,
    instead: "write the type, or parse `unknown` at the door",
  };
}

function measureDocstrings(source: Source): Measure {
  const bare = source.isTest ? [] : undocumented(source);
  const names = bare.map((each) => each.name).join(", ");
  return {
    rule: "docstrings",
    key: source.path,
    file: source.path,
    line: lineAt(source.text, bare[0]?.at ?? 0),
    value: bare.length,
    limit: 0,
    what: `${bare.length} exports have no docstring: ${names}`,
    instead: "write `/** a sentence */` directly before each, saying what the caller must know",
  };
}

function undocumented(source: Source): readonly { readonly name: string; readonly at: number }[] {
  const documented = new Set<number>();
  for (const comment of source.comments) {
    if (!source.text.startsWith("/**", comment.start)) continue;
    const gap = /^[ \t]*\n?/.exec(source.text.slice(comment.end))?.[0].length ?? 0;
    documented.add(comment.end + gap);
  }
  const seen = new Set<string>();
  return [...source.code.matchAll(DECLARED)].flatMap((match) => {
    const name = match[2] ?? "";
    const overload = name !== "" && seen.has(name);
    seen.add(name);
    return overload || documented.has(match.index) ? [] : [{ name, at: match.index }];
  });
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
