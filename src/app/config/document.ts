import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Scalar, YAMLError, YAMLMap } from "yaml";
import { shown } from "./problems.ts";
import type { Finding, Path, Position } from "./problems.ts";

/** A YAML file as plain values, with the place of each. */
export interface YamlFile {
  readonly value: unknown;
  /** Syntax errors and duplicate keys. */
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** False when the syntax is broken, so that `value` says nothing. */
  readonly sound: boolean;
  /** Of a key, an array item, or the nearest thing above that is in the file. */
  positionOf(path: Path): Position;
}

const MOST_NODES = 100_000;
const DEEPEST = 64;

/**
 * Reads YAML 1.2. Numbers under a key in `textKeys` stay the text that was written, so that a price is never a float.
 * A key that is repeated keeps its first value.
 */
export function readYaml(text: string, textKeys: ReadonlySet<string>): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, version: "1.2" });
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const reader = new Reader(document, textKeys, place);
  const sound = document.errors.length === 0;
  const value = sound ? reader.read(document.contents, [], 0) : null;
  return {
    value,
    sound,
    findings: [...document.errors.map((error) => syntaxFinding(error, place)), ...reader.findings],
    warnings: document.warnings.map((warning) => syntaxFinding(warning, place)),
    positionOf: (path) => reader.positionOf(path),
  };
}

/** The library quotes the source after a colon in these, and the source may hold a key. */
const QUOTING = new Set(["UNEXPECTED_TOKEN", "BAD_DIRECTIVE", "BAD_ALIAS", "TAG_RESOLVE_FAILED", "BAD_DQ_ESCAPE"]);

const REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent all keys of one mapping by the same number of spaces",
  MULTIPLE_DOCS: "keep one document: remove the line ---",
  BAD_ALIAS: "define the anchor (&name) above its alias (*name)",
  TAG_RESOLVE_FAILED: "remove the tag",
  MULTILINE_IMPLICIT_KEY: "check for a missing colon or a missing space after one",
};

function syntaxFinding(error: YAMLError, place: (offset: number) => Position): Finding {
  let message = error.message;
  if (QUOTING.has(error.code)) message = message.replace(/(: | sequence ).*$/s, "");
  return {
    path: [],
    position: place(error.pos[0]),
    message: `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    remedy: REMEDIES[error.code] ?? "correct the syntax here or on the line above",
  };
}

/** Turns nodes into plain values and remembers where each began. Lives for one file. */
class Reader {
  readonly findings: Finding[] = [];
  readonly #document: Document;
  readonly #textKeys: ReadonlySet<string>;
  readonly #place: (offset: number) => Position;
  readonly #positions = new Map<string, Position>();
  #nodes = 0;

  constructor(document: Document, textKeys: ReadonlySet<string>, place: (offset: number) => Position) {
    this.#document = document;
    this.#textKeys = textKeys;
    this.#place = place;
  }

  positionOf(path: Path): Position {
    for (let length = path.length; length > 0; length -= 1) {
      const position = this.#positions.get(JSON.stringify(path.slice(0, length)));
      if (position !== undefined) return position;
    }
    return { line: 1, column: 1 };
  }

  read(node: unknown, path: Path, depth: number): unknown {
    this.#nodes += 1;
    if (this.#nodes > MOST_NODES || depth > DEEPEST) {
      // Aliases can make a small file endless; one finding is enough.
      if (this.#nodes !== Infinity)
        this.#find(path, "nested too deeply, or aliases repeat too much", "write it out without aliases");
      this.#nodes = Infinity;
      return null;
    }
    if (isAlias(node)) {
      const anchored = node.resolve(this.#document);
      if (anchored === undefined)
        this.#find(path, "this alias has no anchor above it", "define the anchor (&name) above its alias (*name)");
      return this.read(anchored, path, depth + 1);
    }
    if (isMap(node)) return this.#readMap(node, path, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const itemPath = [...path, index];
        this.#mark(itemPath, item);
        return this.read(item, itemPath, depth + 1);
      });
    }
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  #readMap(map: YAMLMap, path: Path, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const { key, value } of map.items) {
      if (!isScalar(key)) {
        this.#find(path, "a key is not a plain name", "write keys as plain text");
        continue;
      }
      const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
      const entryPath = [...path, name];
      if (Object.hasOwn(result, name) || name === "__proto__") {
        const message = name === "__proto__" ? "this name cannot be used" : `the key "${shown(name)}" is written twice`;
        const position = this.#place(key.range?.[0] ?? 0);
        this.findings.push({ path: entryPath, position, message, remedy: "remove or rename this one" });
        continue;
      }
      this.#mark(entryPath, key);
      result[name] = this.read(value, entryPath, depth + 1);
    }
    return result;
  }

  #readScalar(scalar: Scalar, path: Path): unknown {
    const name = path.at(-1);
    const written = typeof scalar.value === "number" && typeof name === "string" && this.#textKeys.has(name);
    return written ? (scalar.source ?? scalar.value) : scalar.value;
  }

  /** The first place wins: below an alias every use has the place of the anchor's node otherwise. */
  #mark(path: Path, node: unknown): void {
    const key = JSON.stringify(path);
    const range = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : null;
    if (range && !this.#positions.has(key)) this.#positions.set(key, this.#place(range[0]));
  }

  #find(path: Path, message: string, remedy: string): void {
    this.findings.push({ path, message, remedy });
  }
}
