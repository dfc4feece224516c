import { z } from "zod";
import { say } from "./say.ts";

/** What a site, backend, class, tenant or key may be called. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]*$/;

/** A name as NAME_PATTERN has it. */
export function name(meaning: string) {
  return z
    .string()
    .regex(NAME_PATTERN, { error: say("not a name", NAME_REMEDY) })
    .describe(meaning);
}

/** What to do about a name that is none. */
export const NAME_REMEDY =
  "use lower-case letters, digits, dots, underscores and hyphens, beginning with a letter or digit";

/** A map from names to `value`. The names themselves are checked in checks.ts, where a bad one does not hide what is under it. */
export function named<T extends z.ZodType>(value: T, meaning: string, least = 0) {
  const names = { propertyNames: { pattern: NAME_PATTERN.source }, ...(least > 0 ? { minProperties: least } : {}) };
  return z.record(z.string(), value).meta({ description: meaning, ...names });
}
