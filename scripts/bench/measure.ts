import type { ChildProcess } from "node:child_process";
import { nextMessage } from "./children.ts";
import type { LoadOrder, LoadResult } from "./load.ts";
import { cpuUs } from "./process-cost.ts";
import type { Target } from "./targets.ts";

/** How hard and how long each run is. */
export interface Effort {
  readonly seconds: number;
  /** Connections of the closed loop. */
  readonly connections: number;
  /** Requests a second of the open loop. */
  readonly requestRate: number;
  /** Streams a second of the open loop. */
  readonly streamRate: number;
}

/** One round's figures of one target. CPU is null for the upstream itself; what nothing came of is null. */
export interface Round {
  readonly cpuUsPerRequest: number | null;
  readonly requestsPerSecond: number;
  readonly cpuUsPerChunk: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly ttftP50Ms: number | null;
  readonly ttftP99Ms: number | null;
  /** Requests that failed, or that could not be sent when they were due. */
  readonly failed: number;
}

const OPEN_CONNECTIONS = 256;
const STREAM_CONNECTIONS = 512;
// Receipts are stored up to a few milliseconds after their answers; their cost belongs to the run.
const SETTLE_MS = 100;

/** Sends the three kinds of load to one target, one after another. */
export async function measureRound(load: ChildProcess, target: Target, effort: Effort): Promise<Round> {
  const { port, headers } = target;
  const { seconds } = effort;
  const common = { port, headers, seconds };
  const closed = await runLoad(load, target, { ...common, stream: false, rate: null, connections: effort.connections });
  const open = await runLoad(load, target, {
    ...common,
    stream: false,
    rate: effort.requestRate,
    connections: OPEN_CONNECTIONS,
  });
  const streamed = await runLoad(load, target, {
    ...common,
    stream: true,
    rate: effort.streamRate,
    connections: STREAM_CONNECTIONS,
  });
  const results = [closed.result, open.result, streamed.result];
  return {
    cpuUsPerRequest: share(closed.cpuUs, closed.result.requests),
    requestsPerSecond: closed.result.requests / closed.result.seconds,
    cpuUsPerChunk: share(streamed.cpuUs, streamed.result.events),
    p50Ms: open.result.p50Ms,
    p99Ms: open.result.p99Ms,
    ttftP50Ms: streamed.result.ttftP50Ms,
    ttftP99Ms: streamed.result.ttftP99Ms,
    failed: results.reduce((sum, { failed, unsent }) => sum + failed + unsent, 0),
  };
}

function share(cpu: number | null, count: number): number | null {
  return cpu === null || count === 0 ? null : cpu / count;
}

// Node compiles what runs often in the background; a shorter time would charge that to the first rounds' requests.
const WARM_UP_SECONDS = 5;

/** Lets the target's code be compiled before anything counts. */
export async function warmUp(load: ChildProcess, target: Target, effort: Effort): Promise<void> {
  await measureRound(load, target, { ...effort, seconds: Math.min(WARM_UP_SECONDS, 2 * effort.seconds) });
}

async function runLoad(
  load: ChildProcess,
  target: Target,
  order: LoadOrder,
): Promise<{ readonly result: LoadResult; readonly cpuUs: number | null }> {
  const pid = target.child?.pid ?? null;
  const before = pid === null ? 0 : cpuUs(pid);
  const answer = nextMessage<LoadResult>(load);
  load.send(order);
  const result = await answer;
  if (pid === null) return { result, cpuUs: null };
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return { result, cpuUs: cpuUs(pid) - before };
}
