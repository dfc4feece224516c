/** GBNF, the grammar notation of llama.cpp: rules are gathered here, and literals written so that they mean themselves. */

/** The most repetitions that llama.cpp's parser takes in one `{m,n}`; beyond it refuses the whole grammar. */
export const REPETITIONS_MAX = 1999;

/**
 * The rules of one grammar under way. Owned by whoever builds the grammar. Names are made distinct, so that parts which know
 * nothing of one another can write into the same grammar.
 */
export class GrammarRules {
  readonly #bodies = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** Adds a rule and says how to refer to it. `hint` becomes part of its name. */
  add(hint: string, body: string): string {
    const name = this.reserve(hint);
    this.define(name, body);
    return name;
  }

  /** A rule that stands once, however often it is asked for. */
  shared(name: string, body: () => string): string {
    if (!this.#bodies.has(name)) {
      this.#bodies.set(name, "");
      this.#bodies.set(name, body());
    }
    return name;
  }

  /** A name that can be referred to before it is defined, for rules that contain themselves. */
  reserve(hint: string): string {
    const base = `r-${hint.replace(/[^a-zA-Z0-9]+/g, "-").slice(0, 40)}`;
    const count = (this.#counts.get(base) ?? 0) + 1;
    this.#counts.set(base, count);
    // Two hyphens, which no hint has, so that no name with a count is another's hint.
    const name = count === 1 ? base : `${base}--${count}`;
    this.#bodies.set(name, "");
    return name;
  }

  /** Gives a reserved name its body. */
  define(name: string, body: string): void {
    this.#bodies.set(name, body);
  }

  /** The grammar's text, `root` first. */
  text(root: string): string {
    const rules = [...this.#bodies].map(([name, body]) => `${name} ::= ${body}`);
    return [`root ::= ${root}`, ...rules].join("\n");
  }
}

/** `text` as a literal. */
export function literal(text: string): string {
  return `"${[...text].map((character) => escaped(character, '"\\')).join("")}"`;
}

/** One character inside `[...]`. */
export function classCharacter(codePoint: number): string {
  return escaped(String.fromCodePoint(codePoint), "\\]-^[");
}

/** `[a-b]`, or the one character. */
export function classRange(low: number, high: number): string {
  return low === high ? classCharacter(low) : `${classCharacter(low)}-${classCharacter(high)}`;
}

/** `expression` as often as said; `max` null is without end. */
export function repeated(expression: string, min: number, max: number | null): string {
  if (max === 0) return '""';
  if (min === 1 && max === 1) return expression;
  if (min === 0 && max === null) return `${expression}*`;
  if (min === 1 && max === null) return `${expression}+`;
  if (min === 0 && max === 1) return `${expression}?`;
  return `${expression}{${min},${max ?? ""}}`;
}

/** Alternatives in brackets. */
export function either(expressions: readonly string[]): string {
  return expressions.length === 1 ? (expressions[0] as string) : `(${expressions.join(" | ")})`;
}

/** The notation knows few escapes by name; any character can be written by its number. */
function escaped(character: string, special: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === "\n") return "\\n";
  if (code < 0x20 || code === 0x7f || (special.includes(character) && !'"\\'.includes(character)))
    return `\\x${code.toString(16).padStart(2, "0").toUpperCase()}`;
  return special.includes(character) ? `\\${character}` : character;
}
