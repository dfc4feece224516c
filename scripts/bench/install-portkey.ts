/**
 * Installs Portkey's gateway for the benchmark to measure, into an ignored folder: `node scripts/bench/install-portkey.ts`.
 * It is no dependency of Baseload. Its published build leaves the versions of its server open, so they are named here.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { indent, run } from "../run.ts";
import { ROOT } from "../serve-for.ts";

const PACKAGES = ["@portkey-ai/gateway@1.15.2", "hono@4.9.7", "@hono/node-server@1.13.5"];
const TIMEOUT_MS = 300_000;

const dir = join(ROOT, "build", "bench");
mkdirSync(dir, { recursive: true });
// Without it npm would take the repository above for the place to install into.
writeFileSync(join(dir, "package.json"), '{ "private": true }\n');
const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
const args = ["install", "--prefix", dir, ...flags, ...PACKAGES];
const { status, output } = await run({ command: "npm", args, timeoutMs: TIMEOUT_MS });
if (status === 0) console.log(`Installed ${PACKAGES.join(", ")}.`);
else console.error(`npm install failed:\n${indent(output)}`);
process.exitCode = status === 0 ? 0 : 1;
