import type { SecretSource } from "./types.ts";

/** The doors through which secrets are read. */
export interface SecretDoors {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the text of a file or throws. */
  readonly readFile: (path: string) => string;
}

/** Raised for a secret that cannot be read. Names its source, never its value. */
export class SecretError extends Error {
  override readonly name = "SecretError";
  /** What to do about it. */
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(`${message} → ${remedy}`);
    this.remedy = remedy;
  }
}

/** The secret itself, without a trailing newline. Throws `SecretError` when the source is missing, empty, or of more than one line. */
export function readSecret(source: SecretSource, doors: SecretDoors): string {
  const isEnv = "env" in source;
  const where = isEnv ? `the environment variable ${source.env}` : `the file ${source.file}`;
  const remedy = isEnv
    ? `set ${source.env} before starting, or correct the name`
    : "write the key into this file, or correct the path";
  const text = isEnv ? doors.env[source.env] : readOrNull(source.file, doors);
  if (text === undefined) throw new SecretError(`${where} is not set`, remedy);
  if (text === null) throw new SecretError(`${where} cannot be read`, remedy);
  const secret = text.replace(/\r?\n$/, "");
  if (secret.trim() === "") throw new SecretError(`${where} is empty`, remedy);
  // A key goes into a header, where blanks at its ends, line ends and control characters cannot travel.
  if (!/^[\x21-\x7e]+$/.test(secret))
    throw new SecretError(
      `${where} holds blanks or characters that no key has`,
      "keep the key alone in it, on one line",
    );
  return secret;
}

/** The system's own error is left out: what to do is the same, and it may quote more than the path. */
function readOrNull(path: string, doors: SecretDoors): string | null {
  try {
    return doors.readFile(path);
  } catch {
    return null;
  }
}
