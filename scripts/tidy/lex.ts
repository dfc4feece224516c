/** A comment's place in the text, delimiters included. */
export interface Comment {
  readonly start: number;
  readonly end: number;
}

/** A text and its twin of the same length in which only code is left. */
export interface Lexed {
  /** Comments and the insides of strings, templates and regular expressions are spaces; offsets and lines are the text's. */
  readonly code: string;
  readonly comments: readonly Comment[];
}

const SPACE = /\s+/y;
const WORD = /[\w$]+/y;
const LINE_COMMENT = /\/\/[^\n]*/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?(?:\*\/|$)/y;
const DOUBLE_QUOTED = /"(?:[^"\\\n]|\\[\s\S])*"?/y;
const SINGLE_QUOTED = /'(?:[^'\\\n]|\\[\s\S])*'?/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE_CHUNK = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;

/** After these words or signs a slash begins a regular expression; after any other it divides. */
const BEFORE_REGEX = new Set([
  ..."(,=:[!&|?{};+-*%>~^}",
  ..." return typeof case in of delete void throw do else await yield".split(" "),
]);

/** Splits TypeScript into code and the rest. TypeScript 7 has no stable API for this, and rules need little more. */
export function lex(text: string): Lexed {
  return new Lexer(text).run();
}

/** Owned by one call of `lex`. */
class Lexer {
  readonly #text: string;
  readonly #parts: string[] = [];
  readonly #comments: Comment[] = [];
  /** For every template whose `${` is open, how many braces were open before it. */
  readonly #templates: number[] = [];
  #at = 0;
  #braces = 0;
  /** The last word or sign of code, which decides what a slash means. */
  #last = "";

  constructor(text: string) {
    this.#text = text;
  }

  run(): Lexed {
    while (this.#at < this.#text.length) this.#next();
    return { code: this.#parts.join(""), comments: this.#comments };
  }

  #next(): void {
    const space = this.#match(SPACE);
    if (space !== null) this.#parts.push(space);
    else if (this.#comment()) return;
    else if (this.#quoted()) this.#last = '"';
    else {
      const word = this.#match(WORD);
      if (word !== null) this.#keep(word);
      else this.#sign(this.#text.charAt(this.#at));
    }
  }

  #sign(sign: string): void {
    if (sign === "}" && this.#templates.at(-1) === this.#braces) {
      this.#templates.pop();
      this.#at += 1;
      this.#parts.push("}");
      this.#template();
      return;
    }
    if (sign === "{") this.#braces += 1;
    if (sign === "}") this.#braces -= 1;
    this.#at += 1;
    this.#keep(sign);
  }

  #comment(): boolean {
    const start = this.#at;
    const comment = this.#match(LINE_COMMENT) ?? this.#match(BLOCK_COMMENT);
    if (comment === null) return false;
    this.#comments.push({ start, end: this.#at });
    this.#parts.push(blank(comment));
    return true;
  }

  #quoted(): boolean {
    if (this.#text.charAt(this.#at) === "`") {
      this.#at += 1;
      this.#parts.push("`");
      this.#template();
      return true;
    }
    const regex = BEFORE_REGEX.has(this.#last) ? this.#match(REGEX) : null;
    const literal = regex ?? this.#match(DOUBLE_QUOTED) ?? this.#match(SINGLE_QUOTED);
    if (literal === null) return false;
    const closed = literal.length > 1 && literal.endsWith(literal.charAt(0)) ? literal.charAt(0) : "";
    this.#parts.push(literal.charAt(0) + blank(literal.slice(1, literal.length - closed.length)) + closed);
    return true;
  }

  /** From inside a template to its end or to the code of its next `${`. */
  #template(): void {
    this.#parts.push(blank(this.#match(TEMPLATE_CHUNK) ?? ""));
    if (this.#text.startsWith("${", this.#at)) {
      this.#templates.push(this.#braces);
      this.#at += 2;
      this.#parts.push("${");
      this.#last = "{";
    } else if (this.#at < this.#text.length) {
      this.#at += 1;
      this.#parts.push("`");
      this.#last = '"';
    }
  }

  #keep(code: string): void {
    this.#parts.push(code);
    this.#last = code;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}
