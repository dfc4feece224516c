/** One thing that is wrong, where it is, and what to do instead. */
export interface Finding {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly rule: string;
  readonly what: string;
  readonly instead: string;
}

/** The line that a person or an editor reads: `file:line: rule: what → what to do instead`. */
export function printFinding(finding: Finding): string {
  return `${finding.file}:${finding.line}: ${finding.rule}: ${finding.what} → ${finding.instead}`;
}
