/** Whether llama.cpp can be given a grammar that somebody else wrote. */

/** Deeper brackets than any grammar needs; llama.cpp's parser calls itself for each, and many thousands end its process. */
const BRACKETS_MAX = 100;

/** What ends a literal, a class or a comment, in which brackets mean nothing, by what begins it. */
const ENDS: Readonly<Record<string, string>> = { '"': '"', "[": "]", "#": "\n" };

/** Whether a grammar's round brackets are nested too deep to be given to llama.cpp. Reads each character once. */
export function isTooDeep(grammar: string): boolean {
  let depth = 0;
  let end = "";
  for (let at = 0; at < grammar.length; at++) {
    const character = grammar[at] ?? "";
    if (end !== "") {
      if (character === "\\" && end !== "\n") at += 1;
      else if (character === end) end = "";
      continue;
    }
    end = ENDS[character] ?? "";
    if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    if (depth > BRACKETS_MAX) return true;
  }
  return false;
}
