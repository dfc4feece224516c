/**
 * Regular expressions as grammars over the inside of a JSON string. Where an expression allows characters that JSON must escape,
 * the grammar leaves out what it cannot write plainly: every text of the grammar matches the expression, not the reverse.
 */
import { classCharacter, classRange, either, type GrammarRules, literal, repeated, REPETITIONS_MAX } from "./gbnf.ts";
import { unsupportedKeyword, wrongSchema } from "./schema-error.ts";

/** Characters that stand in a JSON string as they are, as an inside of `[...]`: none of quote, backslash or controls. */
const PLAIN_EXCEPT = '"\\\\\\x00-\\x1F\\x7F';
const ANY = `[^${PLAIN_EXCEPT}]`;
const SHORTHANDS: Readonly<Record<string, string>> = { d: "0-9", w: "a-zA-Z0-9_", s: " " };
const CONTROL_ESCAPES = "nrtfv0bBcxukpP";

/** Deeper groups than any expression needs. */
const GROUPS_MAX = 50;

/** An expression for the texts that `pattern` matches; it may add rules. Throws `SchemaError` for what is wrong or not supported. */
export function patternGrammar(rules: GrammarRules, pattern: string, path: string): string {
  if (!isExpression(pattern)) throw wrongSchema(path, "has a `pattern` that is no regular expression");
  const reader = new PatternReader(rules, pattern, path);
  return reader.whole();
}

/** Reads one expression from left to right. Owned by one call of `patternGrammar`. */
class PatternReader {
  readonly #rules: GrammarRules;
  readonly #source: readonly string[];
  readonly #path: string;
  #at = 0;
  #groups = 0;

  constructor(rules: GrammarRules, source: string, path: string) {
    this.#rules = rules;
    this.#source = [...source];
    this.#path = path;
  }

  whole(): string {
    const starts = this.#take("^");
    const body = this.#alternatives(true);
    const ends = this.#source.at(-1) === "$" && this.#at === this.#source.length - 1 && this.#take("$");
    if (this.#at < this.#source.length) throw this.#refusal("an anchor in the middle");
    // Without anchors an expression matches anywhere in the text.
    return [starts ? "" : `${ANY}*`, body, ends ? "" : `${ANY}*`].filter((part) => part !== "").join(" ");
  }

  #alternatives(isTop: boolean): string {
    const branches: string[] = [];
    do branches.push(this.#sequence());
    while (this.#take("|"));
    // `^a|b$` means `(^a)|(b$)`, which is hardly ever meant.
    if (isTop && branches.length > 1 && (this.#source[0] === "^" || this.#peek() === "$"))
      throw this.#refusal("alternatives beside an anchor; put them in a group");
    return either(branches);
  }

  #sequence(): string {
    const parts: string[] = [];
    for (let next = this.#peek(); next !== "" && !"|)$".includes(next); next = this.#peek()) {
      parts.push(this.#quantified(this.#atom()));
    }
    return parts.length === 0 ? '""' : parts.join(" ");
  }

  #quantified(atom: string): string {
    const range = this.#quantifier();
    if (range === null) return atom;
    if ("?+".includes(this.#peek()) && this.#peek() !== "") throw this.#refusal("a lazy quantifier");
    // In a rule of its own, since llama.cpp multiplies repetitions within one.
    return repeated(this.#rules.add("part", atom), range[0], range[1]);
  }

  #quantifier(): readonly [number, number | null] | null {
    if (this.#take("*")) return [0, null];
    if (this.#take("+")) return [1, null];
    if (this.#take("?")) return [0, 1];
    if (!this.#take("{")) return null;
    const text = this.#until("}");
    const [low = "", high = low] = text.split(",");
    const max = high === "" ? null : Number(high);
    if (Number(low) > REPETITIONS_MAX || (max ?? 0) > REPETITIONS_MAX)
      throw this.#refusal(`more than ${REPETITIONS_MAX} repetitions`);
    return [Number(low), max];
  }

  #atom(): string {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#characterClass();
    if (character === ".") return ANY;
    if (character === "^") throw this.#refusal("an anchor in the middle");
    if (character !== "\\") return jsonCharacter(character);
    const escape = this.#next();
    const shorthand = SHORTHANDS[escape];
    if (shorthand !== undefined) return `[${shorthand}]`;
    const negated = SHORTHANDS[escape.toLowerCase()];
    if (negated !== undefined && escape !== escape.toLowerCase()) return `[^${negated}${PLAIN_EXCEPT}]`;
    if (CONTROL_ESCAPES.includes(escape) || /[0-9]/.test(escape)) throw this.#refusal(`\\${escape}`);
    return jsonCharacter(escape);
  }

  #group(): string {
    if (this.#take("?") && !this.#take(":")) throw this.#refusal("a group other than (...) and (?:...)");
    if (++this.#groups > GROUPS_MAX) throw this.#refusal(`groups nested more than ${GROUPS_MAX} deep`);
    const body = this.#alternatives(false);
    this.#groups -= 1;
    if (!this.#take(")")) throw this.#refusal("an anchor in a group");
    return `(${body})`;
  }

  #characterClass(): string {
    const negated = this.#take("^");
    const parts: string[] = [];
    while (!this.#take("]")) parts.push(this.#classPart(negated));
    const inside = parts.join("");
    if (negated) return `[^${inside}${PLAIN_EXCEPT}]`;
    if (inside === "") throw this.#refusal("a class of only characters that JSON must escape");
    return `[${inside}]`;
  }

  #classPart(negated: boolean): string {
    const low = this.#classAtom();
    if (typeof low === "string") return low;
    if (this.#peek() !== "-" || this.#source[this.#at + 1] === "]") return allowed(low, low, negated);
    this.#next();
    const high = this.#classAtom();
    if (typeof high === "string") throw this.#refusal("a range that ends in a class");
    return allowed(low, high, negated);
  }

  /** A character's number, or the inside of a shorthand. */
  #classAtom(): number | string {
    const character = this.#next();
    if (character !== "\\") return character.codePointAt(0) ?? 0;
    const escape = this.#next();
    const shorthand = SHORTHANDS[escape];
    if (shorthand !== undefined) return shorthand;
    if (CONTROL_ESCAPES.includes(escape) || /[0-9DWS]/.test(escape)) throw this.#refusal(`\\${escape} in a class`);
    return escape.codePointAt(0) ?? 0;
  }

  #peek(): string {
    return this.#source[this.#at] ?? "";
  }

  #next(): string {
    const character = this.#peek();
    this.#at += 1;
    return character;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #until(end: string): string {
    let text = "";
    for (let next = this.#next(); next !== end && next !== ""; next = this.#next()) text += next;
    return text;
  }

  #refusal(what: string): Error {
    return unsupportedKeyword(this.#path, "pattern", `it has ${what}`);
  }
}

function isExpression(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}

/** A character as JSON writes it inside a string. */
function jsonCharacter(character: string): string {
  return literal(JSON.stringify(character).slice(1, -1));
}

/** The part of a range that can stand in a JSON string as it is; a class that excludes may exclude all of it. */
function allowed(low: number, high: number, negated: boolean): string {
  if (negated) return classRange(low, high);
  const holes = [0x22, 0x5c, 0x7f].filter((hole) => hole >= low && hole <= high);
  const bounds = [Math.max(low, 0x20) - 1, ...holes.filter((hole) => hole >= 0x20), high + 1];
  const parts: string[] = [];
  for (let index = 1; index < bounds.length; index++) {
    const [from, to] = [(bounds[index - 1] ?? 0) + 1, (bounds[index] ?? 0) - 1];
    if (from <= to) parts.push(from === to ? classCharacter(from) : classRange(from, to));
  }
  return parts.join("");
}
