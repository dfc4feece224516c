import assert from "node:assert/strict";

/** A named part of a check. */
export type Case = readonly [name: string, run: () => Promise<void>];

/** Runs every case to its end, in turn, so that one failure does not hide another, and fails with all of them. */
export async function cases(list: readonly Case[]): Promise<void> {
  const failures: string[] = [];
  for (const each of list) failures.push(...(await failureOf(each)));
  if (failures.length > 0) assert.fail(failures.join("\n"));
}

/** The same, all at once: for cases that do nothing but wait. */
export async function casesTogether(list: readonly Case[]): Promise<void> {
  const failures = (await Promise.all(list.map(failureOf))).flat();
  if (failures.length > 0) assert.fail(failures.join("\n"));
}

async function failureOf([name, run]: Case): Promise<string[]> {
  try {
    await run();
    return [];
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return [`${name}: ${words.trimEnd().replaceAll(/\n+/g, "\n")}`];
  }
}
