/**
 * Stands between Baseload and llama.cpp's server: starts it, waits until it has loaded, and ends it when Baseload ends in any way,
 * which the server itself would not see. What the server writes is passed on.
 *
 * Started as `node child.ts JSON`, the argument being `GuardOptions`; it says `ChildMessage`s over IPC.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { get } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChildMessage } from "../child-supervisor.ts";
import { flagsOf } from "./flags.ts";
import type { GuardOptions, ServerInfo } from "./supervisor.ts";

const HEALTH_EVERY_MS = 100;
/** What is told of a server that ended before it was ready. */
const LAST_LINES = 5;

async function main({ run, socketPath }: GuardOptions): Promise<void> {
  // In a group of its own, so that a terminal's Ctrl-C does not end it while open answers still may.
  const server = spawn(run.binary, flagsOf(run, socketPath), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const { pid } = server;
  if (pid !== undefined) tell({ kind: "spawned", pid });
  const last = passOn(server);
  let isReady = false;
  const end = (): void => {
    server.kill("SIGKILL");
    process.exit(0);
  };
  process.on("disconnect", end);
  process.on("SIGTERM", end);
  process.on("SIGINT", () => {});
  server.once("error", (error) => fail(`${run.binary} cannot be started: ${error.message}`));
  server.once("close", (code, signal) => {
    const how = `${run.binary} ended with ${signal ?? `status ${code}`}`;
    if (isReady) process.exit(code === 0 ? 1 : (code ?? 1));
    fail([`${how} before it had loaded ${run.modelPath}`, ...last].join("\n"));
  });
  if (pid === undefined) return;
  await healthy(socketPath);
  isReady = true;
  tell({ kind: "ready", info: { pid } });
}

/** Passes the server's lines on and keeps the last of them. */
function passOn(server: ChildProcess): readonly string[] {
  const last: string[] = [];
  for (const stream of [server.stdout, server.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      process.stderr.write(`${line}\n`);
      last.push(line);
      if (last.length > LAST_LINES) last.shift();
    });
  }
  return last;
}

/** Resolves when the server says that its model is loaded; loading may take minutes, and its end is seen elsewhere. */
async function healthy(socketPath: string): Promise<void> {
  while ((await statusOf(socketPath)) !== 200) await sleep(HEALTH_EVERY_MS);
}

/** The status of `/health`, or null while nothing listens. */
function statusOf(socketPath: string): Promise<number | null> {
  return new Promise((accept) => {
    get({ socketPath, path: "/health", agent: false }, (response) => {
      response.resume();
      accept(response.statusCode ?? null);
    }).once("error", () => accept(null));
  });
}

function fail(message: string): void {
  tell({ kind: "failed", message }, () => process.exit(1));
}

function tell(message: ChildMessage<ServerInfo>, sent: () => void = () => {}): void {
  // Without a parent there is nobody to tell, and the disconnect ends this process.
  if (process.send === undefined) sent();
  else process.send(message, undefined, undefined, () => sent());
}

const argument = process.argv[2];
if (argument === undefined) {
  console.error("usage: node child.ts JSON, where JSON has run and socketPath");
  process.exit(2);
}
await main(JSON.parse(argument) as GuardOptions);
