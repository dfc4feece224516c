import { z } from "zod";
import { looksSecret } from "./problems.ts";
import { say } from "./say.ts";

const SOURCE_REMEDY =
  "put the key in an environment variable and write {env: ITS_NAME}, or in a file and write {file: ITS_PATH}";

/** Environment variables in capitals only, so that a key pasted in place of a name is refused instead of looked up and printed. */
export const env = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, {
    error: say(
      "not the name of an environment variable",
      "write its name in capitals, such as UPSTREAM_API_KEY, never the key itself",
    ),
  })
  .describe("Name of the environment variable that holds the key, in capitals.");

/** The path of a file with a key in it, refused when it looks like the key. */
export const secretFile = z
  .string()
  .min(1)
  .refine((path) => !looksSecret(path), { error: say("looks like a key, not a path", SOURCE_REMEDY) })
  .describe("Path of the file that holds the key, relative to this file. A trailing newline is ignored.");

/** The key that is sent to a backend: exactly one of an environment variable and a file. */
export const secretSource = z
  .strictObject(
    { env: env.optional(), file: secretFile.optional() },
    { error: literalKey("a key must not be written in this file") },
  )
  .refine((source) => (source.env === undefined) !== (source.file === undefined), {
    error: say("needs exactly one of env and file", SOURCE_REMEDY),
  })
  .meta({ oneOf: [{ required: ["env"] }, { required: ["file"] }] });

/** The error for a text, most likely the key itself, where an object is wanted. */
export function literalKey(message: string, remedy = SOURCE_REMEDY) {
  return (issue: { readonly code?: string; readonly input?: unknown }): string | undefined =>
    issue.code === "invalid_type" && typeof issue.input === "string" ? say(message, remedy) : undefined;
}
