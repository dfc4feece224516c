/** The parts of JSON that every schema's grammar is made of. */
import { type GrammarRules, literal } from "./gbnf.ts";

/** White space between two parts: nothing, a space, or a line break with its indentation. Bounded, so that no model rests in it. */
export const SPACE = '("" | " " | "\\n" [ \\t]{0,20})';

/** One character of a string. Halves of surrogate pairs are left out, so that one escape is one character. */
export const STRING_CHARACTER =
  '[^"\\\\\\x00-\\x1F\\x7F] | "\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cefA-CEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))';

/** Any JSON value, as a rule that it adds. */
export function jsonValue(rules: GrammarRules): string {
  return rules.shared("json", () => {
    const object = jsonObject(rules);
    const space = rules.shared("space", () => SPACE);
    const string = jsonString(rules);
    const array = rules.shared("json-array", () => `"[" ${space} (json ("," ${space} json)*)? ${space} "]"`);
    const number = '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?';
    return `${object} | ${array} | ${string} | ${number} | "true" | "false" | "null"`;
  });
}

/** Any JSON object, as a rule that it adds. */
export function jsonObject(rules: GrammarRules): string {
  return rules.shared("json-object", () => {
    const value = jsonValue(rules);
    const space = rules.shared("space", () => SPACE);
    const member = `${jsonString(rules)} ":" ${space} ${value}`;
    return `"{" ${space} (${member} ("," ${space} ${member})*)? ${space} "}"`;
  });
}

/** Any JSON string, as a rule that it adds. */
export function jsonString(rules: GrammarRules): string {
  const character = rules.shared("string-character", () => STRING_CHARACTER);
  return rules.shared("json-string", () => `"\\"" ${character}* "\\""`);
}

/** One value, written as `JSON.stringify` writes it. */
export function jsonText(value: unknown): string {
  return literal(JSON.stringify(value));
}
