import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** CPU time of a process and its descendants so far, in microseconds, over all their threads. */
export function cpuUs(pid: number): number {
  return family(pid).reduce((sum, each) => sum + (preciseUs(each) ?? coarseUs(each)), 0);
}

/** Resident memory of a process and its descendants, in bytes; shared pages count once for each. */
export function rssBytes(pid: number): number {
  return family(pid).reduce((sum, each) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${each}/status`))?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}

/** The scheduler's own nanoseconds. A thread that ended is not in it any more; those measured here live as long as they. */
function preciseUs(pid: number): number | null {
  let sum = 0;
  for (const task of names(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${task}/schedstat`);
    if (text === "") return null;
    sum += Number(text.split(" ")[0]) / 1000;
  }
  return sum;
}

/** User and system time in ticks of 10 ms, for kernels without schedstat. */
function coarseUs(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1e6) / TICKS_PER_SECOND;
}

function family(pid: number): readonly number[] {
  const children = names(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // The process or the kernel does not have it.
    return "";
  }
}

function names(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
