import { figure } from "../bench/numbers.ts";
import type { PartialFile, StoredInfo, StoredModel } from "./folder.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** A size for people, in powers of a thousand. */
export function sizeInWords(bytes: number): string {
  const [value, unit] = scaled(bytes, UNITS);
  return `${value} ${unit}`;
}

/** The models of a folder as a table; what is unknown is a dash. */
export function modelTable(
  dir: string,
  models: readonly (StoredModel & StoredInfo)[],
  unfinished: readonly PartialFile[],
): string {
  const lines =
    models.length === 0
      ? [`There are no models in ${dir}; get one with \`baseload models pull\`.`]
      : tabled([HEAD, ...models.map(rowOf)]);
  for (const { name, fault } of models) if (fault !== null) lines.push(`${name} cannot be used: ${fault}`);
  for (const { file, sizeBytes } of unfinished)
    lines.push(`${file} was not pulled to its end: ${sizeInWords(sizeBytes)} are there; pull it again to go on`);
  return `${lines.join("\n")}\n`;
}

const HEAD = ["name", "file", "size", "architecture", "quantization", "context", "parameters"];

function rowOf(model: StoredModel & StoredInfo): readonly string[] {
  const { name, files, sizeBytes, architecture, quantization, contextTokens, parameters } = model;
  const file = files.length === 1 ? (files[0] ?? "") : `${files[0]} and ${files.length - 1} more`;
  const context = contextTokens === null ? "-" : String(contextTokens);
  return [name, file, sizeInWords(sizeBytes), architecture ?? "-", quantization ?? "-", context, weights(parameters)];
}

function weights(count: number | null): string {
  return count === null ? "-" : scaled(count, ["", "K", "M", "B", "T"]).join("");
}

function scaled(value: number, units: readonly string[]): [string, string] {
  const step = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  return [figure(value / 1000 ** step), units[step] ?? ""];
}

function tabled(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
