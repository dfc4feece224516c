/** A change to one top-level member: its new value as JSON text, made from the old one's (null when it is absent). */
export interface MemberEdit {
  readonly name: string;
  readonly json: (before: string | null) => string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Index after the string that begins at `at` (a quote). */
function endOfString(bytes: Buffer, at: number): number {
  let end = at + 1;
  for (;;) {
    end = bytes.indexOf(QUOTE, end);
    let slashes = 0;
    for (let back = end - 1; back > at && bytes[back] === BACKSLASH; back -= 1) slashes += 1;
    end += 1;
    if (slashes % 2 === 0) return end;
  }
}

function skipSpace(bytes: Buffer, at: number): number {
  let index = at;
  while (index < bytes.length && (bytes[index] as number) <= 0x20) index += 1;
  return index;
}

/** Index after the value that begins at `at`. */
function endOfValue(bytes: Buffer, at: number): number {
  let depth = 0;
  let index = at;
  while (index < bytes.length) {
    const byte = bytes[index] as number;
    if (byte === QUOTE) {
      index = endOfString(bytes, index);
      if (depth === 0) return index;
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return index;
      depth -= 1;
      if (depth === 0) return index + 1;
    } else if (depth === 0 && (byte === COMMA || byte <= 0x20)) return index;
    index += 1;
  }
  return index;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the values of top-level members stand; the last of equal names wins, as in JSON.parse. */
function memberSpans(
  bytes: Buffer,
  names: readonly string[],
): { readonly spans: Map<string, Span>; readonly open: number } {
  const spans = new Map<string, Span>();
  const open = bytes.indexOf(0x7b);
  let at = skipSpace(bytes, open + 1);
  while (bytes[at] === QUOTE) {
    const keyEnd = endOfString(bytes, at);
    const key = JSON.parse(bytes.toString("utf8", at, keyEnd)) as string;
    const start = skipSpace(bytes, bytes.indexOf(COLON, keyEnd) + 1);
    const end = endOfValue(bytes, start);
    if (names.includes(key)) spans.set(key, { start, end });
    at = skipSpace(bytes, end);
    if (bytes[at] !== COMMA) break;
    at = skipSpace(bytes, at + 1);
  }
  return { spans, open };
}

/**
 * Replaces or adds top-level members of a JSON object and leaves every other byte as it is, so that numbers beyond double
 * precision, unknown members and their order survive. `bytes` must have been parsed as a JSON object before.
 */
export function editMembers(bytes: Buffer, edits: readonly MemberEdit[]): Buffer {
  const names = edits.map((edit) => edit.name);
  const { spans, open } = memberSpans(bytes, names);
  const changes: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  const added: string[] = [];
  for (const edit of edits) {
    const span = spans.get(edit.name);
    if (span === undefined) added.push(`${JSON.stringify(edit.name)}:${edit.json(null)}`);
    else changes.push({ ...span, text: edit.json(bytes.toString("utf8", span.start, span.end)) });
  }
  if (added.length > 0) {
    const isEmpty = bytes[skipSpace(bytes, open + 1)] !== QUOTE;
    changes.push({ start: open + 1, end: open + 1, text: added.join(",") + (isEmpty ? "" : ",") });
  }
  changes.sort((a, b) => a.start - b.start);
  const parts: Buffer[] = [];
  let from = 0;
  for (const change of changes) {
    parts.push(bytes.subarray(from, change.start), Buffer.from(change.text));
    from = change.end;
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}

/** The bytes of a top-level member's value, or null when it is absent. `bytes` must have been parsed as a JSON object before. */
export function memberText(bytes: Buffer, name: string): Buffer | null {
  const span = memberSpans(bytes, [name]).spans.get(name);
  return span === undefined ? null : bytes.subarray(span.start, span.end);
}

/** Asks for usage in a stream: sets `stream_options.include_usage` and leaves its other members. */
export const FORCE_USAGE: MemberEdit = {
  name: "stream_options",
  json: (before) => {
    if (before === null || !before.startsWith("{")) return '{"include_usage":true}';
    return editMembers(Buffer.from(before), [{ name: "include_usage", json: () => "true" }]).toString("utf8");
  },
};
