/** Raised when the program itself is wrong. Assertions stay on in production: a wrong ledger is worse than a stop. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws `AssertionFailure` unless `condition` holds. For programmer errors only; users' errors come from the error table. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** The value, asserted to be present. */
export function present<T>(value: T | null | undefined, message: string): T {
  assert(value !== null && value !== undefined, message);
  return value;
}

/** Ends a `switch` over a union: the compiler proves that no member was forgotten. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
