/** Rows of a CSV with a header, as RFC 4180 quotes it; throws `TypeError` where a quote is not closed. */
export function parseCsv(text: string): readonly Readonly<Record<string, string>>[] {
  const [header = [], ...rows] = cells(text);
  return rows
    .filter((row) => row.some((cell) => cell !== ""))
    .map((row) => Object.fromEntries(header.map((name, column) => [name.trim(), row[column] ?? ""])));
}

/** One line, each cell quoted where it needs to be. */
export function csvLine(values: readonly string[]): string {
  return values.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
}

function cells(text: string): string[][] {
  const rows: string[][] = [[]];
  const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  CELL.lastIndex = text.startsWith("\uFEFF") ? 1 : 0;
  while (CELL.lastIndex < text.length) {
    const line = rows.length;
    const [, quoted, bare = "", end = ""] = CELL.exec(text) ?? unclosed(line);
    rows.at(-1)?.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end !== "," && end !== "") rows.push([]);
  }
  return rows;
}

function unclosed(row: number): never {
  throw new TypeError(`row ${row} of the CSV has a quote that does not enclose a whole cell`);
}
