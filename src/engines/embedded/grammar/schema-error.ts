/** What a schema asks for that no grammar here can promise. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
  /** Where in the schema, as a JSON pointer's path such as `/properties/city`; empty at its top. */
  readonly path: string;
  /** The keyword that cannot be followed, or null when the schema is wrong. */
  readonly keyword: string | null;

  constructor(path: string, keyword: string | null, message: string) {
    super(message);
    this.path = path;
    this.keyword = keyword;
  }
}

/** A keyword that is known and cannot be followed. */
export function unsupportedKeyword(path: string, keyword: string, why = ""): SchemaError {
  const place = path === "" ? "the schema" : path;
  return new SchemaError(path, keyword, `\`${keyword}\` at ${place} is not supported${why === "" ? "" : `: ${why}`}`);
}

/** A schema that is wrong by itself. */
export function wrongSchema(path: string, message: string): SchemaError {
  return new SchemaError(path, null, `${path === "" ? "the schema" : path} ${message}`);
}
