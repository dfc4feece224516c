/**
 * The embedded engine's process: loads one model and serves it on a private socket until its parent ends. A crash inside
 * llama.cpp takes this process and its requests, and nothing else.
 *
 * Started as `node child.ts JSON`, the argument being `ChildOptions` and the environment having `CHILD_ENVIRONMENT`; it sends one `ChildMessage` over IPC. Without IPC, for
 * trying it by hand, the same message goes to stderr.
 */
import { chmodSync, rmSync } from "node:fs";
import { createEngineServer } from "./http.ts";
import { loadEngine } from "./load.ts";
import type { ChildMessage } from "../child-supervisor.ts";
import { CHILD_ENVIRONMENT, type ChildOptions, type EngineInfo } from "./protocol.ts";

async function main(options: ChildOptions): Promise<void> {
  // The channel closes when the parent ends in any way, being killed included; nobody would stop this process later.
  process.on("disconnect", () => {
    removeSocket(options.socketPath);
    process.exit(0);
  });
  // A terminal sends Ctrl-C to the whole group; the parent, which lets open answers end, says when this process stops.
  if (process.send !== undefined) process.on("SIGINT", () => {});
  for (const [name, value] of Object.entries(CHILD_ENVIRONMENT)) {
    if (process.env[name] !== value)
      throw new Error(`The engine must be started with ${name}=${value} in its environment.`);
  }
  const engine = await loadEngine(options);
  const server = createEngineServer(engine, { allowCrash: options.allowCrash ?? false });
  await new Promise<void>((accept, reject) => {
    server.once("error", reject);
    server.listen(options.socketPath, accept);
  });
  if (process.platform !== "win32") chmodSync(options.socketPath, 0o600);
  tellParent({ kind: "ready", info: engine.info });
}

function removeSocket(path: string): void {
  if (process.platform !== "win32") rmSync(path, { force: true });
}

/** Sends `message`, then calls `sent`, once it is certain that an exit would not lose it. */
function tellParent(message: ChildMessage<EngineInfo>, sent: () => void = () => {}): void {
  if (process.send === undefined) {
    process.stderr.write(`${JSON.stringify(message)}\n`, () => sent());
    return;
  }
  process.send(message, undefined, undefined, (error) => {
    // The parent has gone: the disconnect, which follows, ends this process.
    if (error !== null) console.error(error);
    sent();
  });
}

const argument = process.argv[2];
if (argument === undefined) {
  console.error("usage: node child.ts JSON, where JSON has at least modelPath and socketPath");
  process.exit(2);
}
main(JSON.parse(argument) as ChildOptions).catch((error: unknown) => {
  tellParent({ kind: "failed", message: error instanceof Error ? error.message : String(error) }, () =>
    process.exit(1),
  );
});
