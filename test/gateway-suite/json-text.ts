/**
 * Parses JSON so that two texts of the same value compare equal and nothing else does: integers that a double cannot hold
 * keep their digits.
 */
export function canonical(text: string): unknown {
  const keepDigits = (_key: string, value: unknown, ...[context]: readonly { readonly source?: string }[]): unknown =>
    typeof value === "number" &&
    context?.source !== undefined &&
    /^-?\d+$/.test(context.source) &&
    !Number.isSafeInteger(value)
      ? { digits: context.source }
      : value;
  return JSON.parse(text, keepDigits);
}

/** The keys that stand twice in one object of a valid JSON text, which parsing would hide. */
export function duplicateKeys(text: string): string[] {
  const twice: string[] = [];
  const open: (Set<string> | undefined)[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gsu;
  for (const match of text.matchAll(tokens)) {
    const [token, colon] = match;
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.length - colon.length)) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) twice.push(key);
      keys?.add(key);
    }
  }
  return twice;
}
