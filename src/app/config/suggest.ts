/** What people write, from other tools' files, for a key that has another name here. Spelled as `plain` does. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  apikey: ["key"],
  token: ["key"],
  baseurl: ["url"],
  endpoint: ["url", "endpoints"],
  provider: ["engine"],
  type: ["engine"],
  timeout: ["watch", "totalMs"],
  timeouts: ["watch"],
  concurrency: ["maxConcurrent"],
  carbon: ["gridGramsPerKwh"],
};

/** The candidate that `word` most likely meant, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const meant = plain(word);
  const alike = candidates.find((candidate) => plain(candidate) === meant);
  if (alike !== undefined) return alike;
  const synonyms = Object.hasOwn(SYNONYMS, meant) ? SYNONYMS[meant] : undefined;
  const synonym = synonyms?.find((name) => candidates.includes(name));
  if (synonym !== undefined) return synonym;
  let best: string | null = null;
  let least = Math.max(1, Math.floor(meant.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(meant, plain(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** `word` without case and separators, so that max_body_bytes is maxBodyBytes. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, "");
}

/** Edits (insert, delete, replace, swap of neighbours) between two words; Infinity for words too long to be typed by mistake. */
function editDistance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let edits = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + cost);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
