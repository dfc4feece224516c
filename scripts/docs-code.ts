/**
 * Runs the code in README.md and docs: `node scripts/docs-code.ts [FILE.md …]`. A fenced block whose info string says
 * `check` is run (sh, ts), loaded as a configuration (yaml) or parsed (json). In one document the sh and ts blocks talk to
 * one Baseload, whose address is in BASE_URL and replaces http://127.0.0.1:8080. A block that cannot run says
 * `no-check=REASON`; scripts/tidy.ts sees to it that each says one or the other.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { checkFence } from "./docs-code/blocks.ts";
import { indent } from "./run.ts";
import { ROOT, serveFor } from "./serve-for.ts";
import { fencesOf } from "./tidy/fences.ts";
import { listFiles } from "./tidy/source.ts";

async function checkDocument(file: string): Promise<number> {
  const fences = fencesOf(file, readFileSync(resolve(ROOT, file), "utf8")).filter((fence) => fence.check);
  const served = fences.some(({ language }) => language === "sh" || language === "ts") ? await serveFor() : null;
  let failures = 0;
  try {
    for (const fence of fences) {
      // Blocks of one document run in its order: a reader runs them so, and later ones may use what earlier ones did.
      const verdict = await checkFence(fence, served?.url ?? "");
      const skipped = verdict?.startsWith("skipped: ") === true;
      if (verdict !== null && !skipped) failures += 1;
      console.log(`${verdict === null ? "ok  " : skipped ? "skip" : "FAIL"} ${file}:${fence.line} ${fence.language}`);
      if (verdict !== null) console.log(indent(verdict));
    }
  } finally {
    await served?.[Symbol.asyncDispose]();
  }
  return failures;
}

const asked = process.argv.slice(2);
let failures = 0;
for (const file of asked.length > 0 ? asked : listFiles(ROOT, ["README.md", "docs/**/*.md"])) {
  failures += await checkDocument(file);
}
console.log(failures === 0 ? "docs-code: every checked block works" : `docs-code: ${failures} blocks failed`);
process.exitCode = failures === 0 ? 0 : 1;
