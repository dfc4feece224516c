/**
 * Runs the examples: `node scripts/examples.ts [FILE …]`. Each examples/*.ts is a program that talks to the Baseload whose
 * address is in BASE_URL; each examples/*.yaml is a configuration that `baseload serve --check` must accept.
 */
import { indent, run } from "./run.ts";
import { ROOT, serveFor } from "./serve-for.ts";
import { listFiles } from "./tidy/source.ts";

const EXAMPLE_MS = 120_000;

const asked = process.argv.slice(2);
const files =
  asked.length > 0 ? asked : listFiles(ROOT, ["examples/*.{ts,yaml}"]).filter((each) => !each.includes(".test."));
const served = files.some((file) => file.endsWith(".ts")) ? await serveFor() : null;
let failures = 0;
try {
  for (const file of files) {
    const args = file.endsWith(".yaml") ? ["bin/baseload.mjs", "serve", "--check", file] : [file];
    const env = { BASE_URL: served?.url ?? "" };
    // One after another: examples share a server, and their output is read by people.
    const { status, output } = await run({ command: process.execPath, args, env, timeoutMs: EXAMPLE_MS });
    console.log(`${status === 0 ? "pass" : "FAIL"} ${file}`);
    if (status === 0) continue;
    failures += 1;
    console.log(indent(`exit status ${status}\n${output}`));
  }
} finally {
  await served?.[Symbol.asyncDispose]();
}
console.log(failures === 0 ? `examples: ${files.length} pass` : `examples: ${failures} of ${files.length} fail`);
process.exitCode = failures === 0 ? 0 : 1;
