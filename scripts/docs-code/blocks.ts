import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../run.ts";
import { ROOT } from "../serve-for.ts";
import { CHECKED_LANGUAGES, type Fence } from "../tidy/fences.ts";

const BLOCK_MS = 120_000;
const WRITTEN_URL = "http://127.0.0.1:8080";
const FOLDER = join(ROOT, ".docs-tmp");

/** Null when a block is well, `skipped: …` when this machine cannot run it, or what went wrong. */
export type Verdict = string | null;

/** Runs, loads or parses one block; `url` is the address of the Baseload it talks to. */
export async function checkFence(fence: Fence, url: string): Promise<Verdict> {
  const code = fence.code.replaceAll(WRITTEN_URL, url);
  switch (fence.language) {
    case "json":
      return reasonOf(() => JSON.parse(fence.code));
    case "yaml":
      return await loadYaml(fence);
    case "sh":
      return await runShell(code, url);
    case "ts":
      return await runTypeScript(code, url);
    default:
      return `a ${fence.language} block cannot be checked; write it in ${CHECKED_LANGUAGES.join(", ")}`;
  }
}

/** The loader is imported late: documents without yaml blocks do not need it. Blank lines put problems at the document's lines. */
async function loadYaml(fence: Fence): Promise<Verdict> {
  const path = join(ROOT, "src", "app", "config", "load.ts");
  const loader = (await import(pathToFileURL(path).href)) as { loadConfig(text: string, file: string): unknown };
  return await reasonOf(() => loader.loadConfig("\n".repeat(fence.line) + fence.code, fence.file));
}

async function reasonOf(check: () => unknown): Promise<Verdict> {
  try {
    await check();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function runShell(code: string, url: string): Promise<Verdict> {
  const bash = await run({ command: "bash", args: ["--version"], timeoutMs: BLOCK_MS });
  if (bash.status !== 0) return "skipped: there is no bash on this machine";
  return await runProgram("bash", ["-euo", "pipefail", "-c", code], url);
}

/** The block becomes a file inside the repository, so that packages resolve as they do for a reader. */
async function runTypeScript(code: string, url: string): Promise<Verdict> {
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(FOLDER, "block-"));
  const file = join(folder, "block.ts");
  writeFileSync(file, code);
  try {
    return await runProgram(process.execPath, [file], url);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    if (readdirSync(FOLDER).length === 0) rmSync(FOLDER, { recursive: true, force: true });
  }
}

async function runProgram(command: string, args: readonly string[], url: string): Promise<Verdict> {
  const { status, output } = await run({ command, args, env: { BASE_URL: url }, timeoutMs: BLOCK_MS });
  return status === 0 ? null : `exit status ${status}\n${output}`;
}
