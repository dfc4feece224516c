import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

const GOOD: Readonly<Record<string, string>> = {
  "package.json": '{ "dependencies": { "a": "1.0.0" } }',
  "package-lock.json": '{ "packages": { "": { "dependencies": { "a": "1.0.0" } } } }',
  "ARCHITECTURE.md":
    "| To change | open |\n|---|---|\n| a | `src/base/a.ts` |\n\n| package | why |\n|---|---|\n| `a` | b |\n",
  "README.md": "# A\n",
  "scripts/tidy/exceptions.json": "{}",
  "src/base/a.ts": "/** One. */\nexport const one = 1;\n",
};

/** Runs the program on a repository of these files. */
function tidy(files: Readonly<Record<string, string>>): { readonly status: number | null; readonly output: string } {
  const root = mkdtempSync(join(tmpdir(), "baseload-tidy-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const program = join(import.meta.dirname, "tidy.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, root], { encoding: "utf8" });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test("a tidy repository passes with one line", () => {
  assert.deepEqual(tidy(GOOD), { status: 0, output: "tidy: 5 files, nothing to do\n" });
});

test("every rule is wired in: one bad file each makes it fail with file, line and rule", () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ["src/base/b.ts", 'import "../cost/c.ts";', "src/base/b.ts:1: layers:"],
    ["src/base/b.ts", "\nDate.now();", "src/base/b.ts:2: bans:"],
    ["src/base/b.ts", 'import "./b.ts";', "src/base/b.ts:1: cycles:"],
    ["src/base/b.ts", "\nlet a: any;", "src/base/b.ts:2: any:"],
    ["package.json", '{ "dependencies": { "a": "^1.0.0" } }', "package.json:1: versions:"],
    ["package.json", '{ "dependencies": { "b": "1.0.0" } }', "package.json:1: dependencies:"],
    ["scripts/b.ts", 'import "b";', "scripts/b.ts:1: dependencies:"],
    ["package-lock.json", '{ "packages": {} }', "package-lock.json:1: lockfile:"],
    ["docs/b.md", ["", "home", "b"].join("/"), "docs/b.md:1: texts:"],
    ["test/b.test.ts", 'test.only("a", f);', "test/b.test.ts:1: texts:"],
    ["ARCHITECTURE.md", "# A", "ARCHITECTURE.md:1: paths:"],
    ["docs/b.md", "```ts\nx\n```", "docs/b.md:1: docs-code:"],
    ["scripts/tidy/exceptions.json", '{ "any": { "gone.ts": 1 } }', "scripts/tidy/exceptions.json:1: any:"],
  ];
  for (const [path, text, expected] of bad) {
    const { status, output } = tidy({ ...GOOD, [path]: text });
    assert.equal(status, 1, `${expected}\n${output}`);
    assert.ok(
      output.split("\n").some((line) => line.startsWith(expected) && line.includes(" → ")),
      `${expected}\n${output}`,
    );
  }
});
