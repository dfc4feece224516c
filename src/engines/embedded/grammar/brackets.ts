/** Whether llama.cpp can be given a grammar that somebody else wrote. */

/** Deeper brackets than any grammar needs; llama.cpp's parser calls itself for each, and many thousands end its process. */
const BRACKETS_MAX = 100;

/** Whether a grammar's round brackets are nested too deep to be given to llama.cpp. */
export function isTooDeep(grammar: string): boolean {
  // Literals, classes and comments may hold brackets that mean nothing.
  const bare = grammar.replaceAll(/"(?:[^"\\]|\\[^])*"|\[(?:[^\]\\]|\\[^])*\]|#.*/g, "");
  let depth = 0;
  for (const character of bare) {
    if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    if (depth > BRACKETS_MAX) return true;
  }
  return false;
}
