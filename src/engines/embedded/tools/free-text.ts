/** Grammars of texts that are no tool call, for answers that may be either. */
import { classCharacter, type GrammarRules } from "../grammar/gbnf.ts";
import type { ToolFormat } from "./format.ts";

/** An expression for texts that neither contain the format's marker nor begin as a bare call does. */
export function freeText(rules: GrammarRules, format: ToolFormat): string {
  const marker = format.open === null ? "[^\\x00]*" : withoutMarker(rules, format.open);
  if (!format.bare) return marker;
  const beginning = format.open === null ? "" : classCharacter(format.open.codePointAt(0) ?? 0);
  // White space says nothing yet. After a first character that begins neither a call nor a marker, anything but the marker may come.
  return `[ \\t\\n]* ([^{\\[\\x20\\x09\\x0A\\x0D${beginning}] ${marker})?`;
}

/** A rule for the texts in which `marker` does not occur: the automaton that searches it, without its end. */
function withoutMarker(rules: GrammarRules, marker: string): string {
  const letters = [...marker];
  const alphabet = [...new Set(letters)];
  const states = letters.map((_, index) => rules.reserve(`free-${index}`));
  letters.forEach((_, state) => {
    const targets = new Map<number, string[]>();
    for (const letter of alphabet) {
      const next = nextState(letters, state, letter);
      if (next < letters.length) targets.set(next, [...(targets.get(next) ?? []), letter]);
    }
    const branches = [...targets].map(([next, from]) => `[${from.map(inClass).join("")}] ${states[next] as string}`);
    rules.define(
      states[state] as string,
      [`[^${alphabet.map(inClass).join("")}] ${states[0] as string}`, ...branches, '""'].join(" | "),
    );
  });
  return states[0] as string;
}

/** How much of `letters` is seen after `state` of them and then `letter`. */
function nextState(letters: readonly string[], state: number, letter: string): number {
  const seen = [...letters.slice(0, state), letter];
  for (let length = Math.min(seen.length, letters.length); length > 0; length--) {
    if (letters.slice(0, length).every((each, index) => each === seen[seen.length - length + index])) return length;
  }
  return 0;
}

function inClass(letter: string): string {
  return classCharacter(letter.codePointAt(0) ?? 0);
}
