/** Scripts that write a file and, without `--update`, fail when the file is not what they would write. */
export const GOLDEN: readonly string[] = ["schema.ts", "errors-doc.ts", "golden.ts"];

/** Where tests are, as `npm test` names them too. */
export const TESTS: readonly string[] = ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"];
