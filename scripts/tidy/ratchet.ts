import type { Finding } from "./finding.ts";

/** A measured thing and the most that it may be. */
export interface Measure {
  readonly rule: string;
  /** What is measured: a path, or `path#function`. Equal keys count as the largest. */
  readonly key: string;
  readonly file: string;
  readonly line: number;
  readonly value: number;
  readonly limit: number;
  /** The measured fact in words, such as `the file has 612 lines`. */
  readonly what: string;
  readonly instead: string;
}

/** By rule and key, the value that was too large when the rule came. */
export type Exceptions = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Where the exceptions are written. */
export const EXCEPTIONS = "scripts/tidy/exceptions.json";

/** Measures over their limit, and exceptions that no longer say the truth: they may only shrink. */
export function checkRatchet(measures: readonly Measure[], exceptions: Exceptions): readonly Finding[] {
  const largest = new Map<string, Measure>();
  for (const each of measures) {
    const id = `${each.rule} ${each.key}`;
    if ((largest.get(id)?.value ?? Number.NEGATIVE_INFINITY) < each.value) largest.set(id, each);
  }
  const over = [...largest.values()].flatMap((each) => judge(each, exceptions[each.rule]?.[each.key]));
  const stale = Object.entries(exceptions).flatMap(([rule, keys]) =>
    Object.keys(keys)
      .filter((key) => !largest.has(`${rule} ${key}`))
      .map((key) => wrongEntry({ rule, key }, `nothing called ${key} is left`, "remove the entry")),
  );
  return [...over, ...stale];
}

function judge(each: Measure, listed: number | undefined): readonly Finding[] {
  const { file, line, rule, value, limit, what, instead } = each;
  if (listed === undefined)
    return value > limit ? [{ file, line, rule, what: `${what}; the limit is ${limit}`, instead }] : [];
  if (value > listed)
    return [{ file, line, rule, what: `${what}; its exception says ${listed} and may only shrink`, instead }];
  if (value <= limit) return [wrongEntry(each, `${what}, within the limit of ${limit}`, "remove the entry")];
  return value < listed ? [wrongEntry(each, `${what}, less than ${listed}`, `lower the entry to ${value}`)] : [];
}

function wrongEntry(entry: Pick<Measure, "rule" | "key">, what: string, todo: string): Finding {
  const { rule, key } = entry;
  return { file: EXCEPTIONS, line: 1, rule, what: `${key}: ${what}`, instead: `${todo} under ${JSON.stringify(rule)}` };
}
