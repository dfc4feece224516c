import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../serve-for.ts";
import { GOLDEN } from "./steps.ts";

const check = (...args: readonly string[]): { readonly status: number | null; readonly output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/check.ts", ...args], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
};

test("every script that takes --update is a golden step", () => {
  const folder = join(ROOT, "scripts");
  const takers = readdirSync(folder).filter(
    (name) =>
      name.endsWith(".ts") &&
      !name.endsWith(".test.ts") &&
      /["']--update["']|\bupdate:\s*\{/.test(readFileSync(join(folder, name), "utf8")),
  );
  assert.deepEqual(
    takers.filter((name) => !GOLDEN.includes(name)),
    [],
  );
});

test("unknown steps and options are bad usage", () => {
  for (const args of [["--only", "nothing"], ["--skip", "nothing"], ["--wrong"]]) {
    const { status, output } = check(...args);
    assert.equal(status, 2, output);
    assert.match(output, /usage: npm run check/);
  }
});

test("a chosen step is run and timed", () => {
  const { output } = check("--only", "tidy");
  assert.match(output, /^tidy …\n[\s\S]*tidy: (?:ok|FAILED) in \d+\.\d s\ncheck: /);
});
