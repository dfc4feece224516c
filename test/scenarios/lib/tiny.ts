import { readdirSync, readFileSync } from "node:fs";
import type { Baseload } from "./baseload.ts";

/** The name of the model that comes with Baseload. */
export const TINY = "baseload-tiny";

/**
 * Fields of a request that the tiny model answers for seconds: it ends a turn only by chance, and rewarded for saying again
 * what it has said, it never comes to it.
 */
export const LONG = { temperature: 0, frequency_penalty: -2, presence_penalty: -2, max_tokens: 3000 } as const;

/** The children of a process, and theirs, from Linux's /proc: process ids with their command lines. */
export function descendants(pid: number): readonly { readonly pid: number; readonly command: string }[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== null) parents.set(Number(name), parent);
  }
  const below = (at: number): boolean => {
    const parent = parents.get(at);
    return parent === pid || (parent !== undefined && parent !== 0 && below(parent));
  };
  return [...parents.keys()].filter(below).map((each) => ({ pid: each, command: commandOf(each) }));
}

/** Processes that run with this text in their command line, whoever their parent is now. */
export function processesWith(text: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && commandOf(Number(name)).includes(text))
    .map(Number);
}

/** The process of the embedded engine of a server. */
export function enginePid(server: Pick<Baseload, "pid">): number | null {
  return descendants(server.pid).find(({ command }) => command.includes("embedded/child"))?.pid ?? null;
}

function parentOf(pid: number): number | null {
  try {
    // The name, in parentheses, may hold blanks; after it come the state and the parent.
    const rest = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return rest[0] === "Z" ? null : Number(rest[1]);
  } catch {
    return null;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
