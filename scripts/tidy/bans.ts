import type { Finding } from "./finding.ts";
import { layerOf } from "./layers.ts";
import { type Source, lineAt } from "./source.ts";

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Folders where it is banned, when not in all the deterministic ones. */
  readonly only?: readonly string[];
}

/** From base to kernel everything must give the same result each time, so that a journal replays exactly. */
const DETERMINISTIC = new Set(["base", "catalog", "cost", "policy", "dispatch", "ledger", "audit", "kernel"]);

const CLOCK = "take `now` (microseconds) or `wallMs` from the event";
const WAKE = "emit a `wake` command and handle `woke`";
const SHELL = "emit a command and let a shell in live perform it; its result comes back as an event";
const VALUE = "have app read it and pass it in as a value";
const FLOATS =
  "use integers (base/integers.ts): engines differ in the last digit, and ledger figures and replays must not";

const INEXACT =
  "log|log2|log10|log1p|exp|expm1|pow|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|cbrt|hypot";

/** A use of a global's name: not a property, not a longer word, not an object's key. */
const word = (names: string): RegExp => new RegExp(`(?<![.\\w$#])(?:${names})\\b(?!\\s*\\??:)`, "g");

/** What is banned and what to use in its place. */
const BANS: readonly Ban[] = [
  { pattern: word("Date|performance"), instead: CLOCK },
  { pattern: word("setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|queueMicrotask"), instead: WAKE },
  {
    pattern: /(?<![.\w$])Math\s*\.\s*random\b/g,
    instead: "draw from a seeded stream, base/chance.ts, that came in as configuration",
  },
  {
    pattern: word("crypto"),
    instead: "have the shell mint it and pass it in; in audit, import the synchronous functions by name",
  },
  { pattern: word("fetch|XMLHttpRequest|WebSocket"), instead: SHELL },
  { pattern: word("process"), instead: VALUE },
  { pattern: word("globalThis"), instead: VALUE },
  { pattern: /\bimport\s*\.\s*meta\b/g, instead: VALUE },
  { pattern: word("Promise|PromiseLike"), instead: SHELL },
  { pattern: word("async|await"), instead: SHELL },
  { pattern: word("require"), instead: "use a static import that scripts/tidy/layers.ts allows" },
  { pattern: /(?<![.\w$])import\s*\(/g, instead: "use a static import that scripts/tidy/layers.ts allows" },
  { pattern: word("console"), instead: "return the fact or emit a command; a shell logs it" },
  { pattern: word("Intl"), instead: "format in the console or in app: locales differ between machines" },
  {
    pattern: /\.\s*(?:toLocale\w+|localeCompare)\b/g,
    instead: "compare with < and >, print with toString: locales differ between machines",
  },
  {
    pattern: word("WeakRef|FinalizationRegistry"),
    instead: "drop it explicitly: garbage collection has no fixed time",
  },
  {
    pattern: new RegExp(`(?<![.\\w$])Math\\s*\\.\\s*(?:${INEXACT})\\b`, "g"),
    instead: FLOATS,
    only: ["kernel", "ledger"],
  },
  {
    pattern: /(?<!(?<![\w.])\d[\d_]*n?\s*)\*\*|\*\*(?!\s*\d[\d_]*n?(?![\w.]))/g,
    instead: FLOATS,
    only: ["kernel", "ledger"],
  },
];

/** Clocks, timers, promises, randomness, environment and I/O in the folders that decide. Tests may use them. */
export function checkBans(sources: readonly Source[]): readonly Finding[] {
  const judged = sources.filter(
    (each) => !each.isTest && each.path.startsWith("src/") && DETERMINISTIC.has(layerOf(each.path)),
  );
  return judged.flatMap((source) => {
    const folder = layerOf(source.path);
    return BANS.filter((ban) => ban.only?.includes(folder) ?? true).flatMap((ban) =>
      [...source.code.matchAll(ban.pattern)].map((match) => ({
        file: source.path,
        line: lineAt(source.text, match.index),
        rule: "bans",
        what: `${match[0].replaceAll(/\s+/g, "")} is banned in ${folder}`,
        instead: ban.instead,
      })),
    );
  });
}
