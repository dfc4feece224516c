/** One function, method or arrow function found in code. */
export interface FoundFunction {
  /** Its name, or the name it is assigned to, or `anonymous`. */
  readonly name: string;
  /** The function that an anonymous one is passed to, such as `describe`, or null. */
  readonly passedTo: string | null;
  readonly start: number;
  /** Where its block ends, or its parameters when it has no block. */
  readonly end: number;
  readonly parameters: number;
}

/** For each opening bracket's offset, its partner's. */
type Pairs = ReadonlyMap<number, number>;

const NOT_METHODS = new Set([
  "if",
  "for",
  "while",
  "switch",
  "catch",
  "with",
  "return",
  "await",
  "typeof",
  "super",
  "function",
]);
const MODIFIERS = "(?:(?:async|get|set|static|override|public|private|protected|abstract|readonly)\\s+|\\*\\s*)*";
const METHOD = new RegExp(`(?:^|[{};,])\\s*(${MODIFIERS}(#?[\\w$]+|\\[[^\\]]*\\]|"[^"]*"))$`);
const FUNCTION = /\bfunction\s*\*?\s*([\w$]*)$/;
const ASSIGNED =
  /(?:\b(?:const|let)\s+|[{,;]\s*(?:static\s+|readonly\s+)*)(#?[\w$]+)\s*(?::[^=;{]*(?:=>[^=;{]*)?)?[=:]\s*(?:async\s*)?$/;
const PASSED = /([\w$]+)\s*\((?:[^(){};]*,)?\s*(?:async\s*)?$/;
const OPERAND_FOLLOWS = new Set(
  "keyof typeof readonly asserts is extends unique infer new abstract | & ? : .".split(" "),
);

/** The functions of blanked code, outer ones before inner ones. */
export function functionsOf(code: string): readonly FoundFunction[] {
  const pairs = pairBrackets(code);
  const found: FoundFunction[] = [];
  for (const [open, close] of pairs) {
    if (code.charAt(open) !== "(") continue;
    const header = headerOf({ code, pairs }, open, close);
    if (header !== null) found.push({ ...header, parameters: countParameters({ code, pairs }, open, close) });
  }
  return found.toSorted((a, b) => a.start - b.start);
}

function pairBrackets(code: string): Pairs {
  const pairs = new Map<number, number>();
  const opens: number[] = [];
  for (const match of code.matchAll(/[()[\]{}]/g)) {
    if ("([{".includes(match[0])) opens.push(match.index);
    else pairs.set(opens.pop() ?? -1, match.index);
  }
  return pairs;
}

interface Bracketed {
  readonly code: string;
  readonly pairs: Pairs;
}

type Header = Omit<FoundFunction, "parameters">;

/** Reads what stands around a pair of parentheses; null when they are no parameter list. */
function headerOf({ code, pairs }: Bracketed, open: number, close: number): Header | null {
  const named = skipGenericsBack(code, open);
  const before = code.slice(Math.max(0, named - 300), named).trimEnd();
  const after = skipSpace(code, close + 1);
  const past = code.charAt(after) === ":" ? skipType(code, after + 1, pairs) : after;
  const keyword = FUNCTION.exec(before);
  const start = (text: string): number => Math.max(0, named - 300) + before.length - text.length;
  if (keyword !== null) {
    const name = keyword[1] ?? "";
    return {
      name: name || "anonymous",
      passedTo: null,
      start: start(keyword[0]),
      end: blockEnd(code, past, pairs) ?? close,
    };
  }
  if (code.startsWith("=>", past)) {
    const name = ASSIGNED.exec(before)?.[1] ?? "anonymous";
    const passedTo = name === "anonymous" ? (PASSED.exec(before)?.[1] ?? null) : null;
    return { name, passedTo, start: open, end: blockEnd(code, skipSpace(code, past + 2), pairs) ?? close };
  }
  const method = METHOD.exec(before);
  const name = method?.[2] ?? "";
  const end = blockEnd(code, past, pairs);
  if (method === null || end === null || NOT_METHODS.has(name)) return null;
  return { name, passedTo: null, start: start(method[1] ?? ""), end };
}

function blockEnd(code: string, at: number, pairs: Pairs): number | null {
  return code.charAt(at) === "{" ? (pairs.get(at) ?? null) : null;
}

function skipSpace(code: string, from: number): number {
  let at = from;
  while (/\s/.test(code.charAt(at))) at += 1;
  return at;
}

/** Steps back over `<T extends U>` before a parenthesis. */
function skipGenericsBack(code: string, open: number): number {
  let at = open - 1;
  if (code.charAt(at) !== ">" || code.charAt(at - 1) === "=") return open;
  for (let depth = 0; at >= 0; at -= 1) {
    const sign = code.charAt(at);
    if (sign === ">" && code.charAt(at - 1) !== "=") depth += 1;
    if (sign === "<") depth -= 1;
    if (depth === 0) return at;
    if (sign === ";") return open;
  }
  return open;
}

/** The offset after a type: at the block's brace, the arrow, or whatever else ends it. */
function skipType(code: string, from: number, pairs: Pairs): number {
  const token = /\s+|[\w$#]+|=>|["'`][^"'`]*["'`]|[\s\S]/y;
  let operandDone = false;
  let at = from;
  for (;;) {
    token.lastIndex = at;
    const sign = token.exec(code)?.[0] ?? "";
    if (sign === "" || sign === "=>") return at;
    if (/^\s/.test(sign)) at += sign.length;
    else if (OPERAND_FOLLOWS.has(sign)) {
      operandDone = false;
      at += sign.length;
    } else if (operandDone && sign === "<") at = skipGenerics(code, at);
    else if ("([{".includes(sign)) {
      if (operandDone && sign !== "[") return at;
      at = (pairs.get(at) ?? code.length) + 1;
      operandDone = true;
    } else if (/^[\w$#"'`]/.test(sign) && !operandDone) {
      operandDone = true;
      at += sign.length;
    } else if (sign === "-" && !operandDone) at += 1;
    else return /^[\w$#]/.test(sign) && OPERAND_FOLLOWS.has(sign) ? at + sign.length : at;
  }
}

function skipGenerics(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code.charAt(at) === "<") depth += 1;
    if (code.charAt(at) === ">" && code.charAt(at - 1) !== "=") depth -= 1;
    if (depth === 0) return at + 1;
  }
  return code.length;
}

/** Commas at the top level of the list, `this` left out. */
function countParameters({ code, pairs }: Bracketed, open: number, close: number): number {
  const parts = [""];
  let angles = 0;
  for (let at = open + 1; at < close; at += 1) {
    const sign = code.charAt(at);
    if (sign === "<") angles += 1;
    if (sign === ">" && code.charAt(at - 1) !== "=" && angles > 0) angles -= 1;
    if (sign === "," && angles === 0) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${sign}`);
    if ("([{".includes(sign)) at = pairs.get(at) ?? close;
  }
  return parts.filter((part) => part.trim() !== "" && !/^\s*this\s*:/.test(part)).length;
}
