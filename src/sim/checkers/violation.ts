/** What is checked; a violation names one of them. */
export type Rule =
  | "kernel-asserts"
  | "answered-once"
  | "settled-once"
  | "posted-once"
  | "commit-once"
  | "abort-running"
  | "attempts"
  | "backend-limit"
  | "backend-quota"
  | "send-eligible"
  | "queue-bound"
  | "queue-deadline"
  | "queue-order"
  | "energy"
  | "cost-lines"
  | "run-step"
  | "run-limit"
  | "run-loop"
  | "run-totals"
  | "durable"
  | "liveness";

/** A rule does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly rule: Rule;

  constructor(rule: Rule, text: string, options?: ErrorOptions) {
    super(`${rule}: ${text}`, options);
    this.rule = rule;
  }
}

/** Throws a violation of `rule` unless `condition` holds. `text` is only made when it does not. */
export function holds(condition: boolean, rule: Rule, text: () => string): asserts condition {
  if (!condition) throw new Violation(rule, text());
}
