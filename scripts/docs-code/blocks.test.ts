import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../serve-for.ts";
import { checkFence } from "./blocks.ts";

const judge = async (language: string, code: string): Promise<string | null> =>
  await checkFence({ file: "a.md", line: 1, language, check: true, reason: null, code }, "http://127.0.0.1:9");

test("json must parse", async () => {
  assert.equal(await judge("json", '{ "a": 1 }'), null);
  assert.match((await judge("json", "{ a }")) ?? "", /JSON/);
});

test("sh runs strictly, with the server's address in place of the written one", async () => {
  const good = await judge("sh", 'test "$BASE_URL" = http://127.0.0.1:8080 && test "$BASE_URL" = http://127.0.0.1:9');
  assert.ok(good === null || good.startsWith("skipped: "), good ?? "");
  if (good !== null) return;
  assert.match((await judge("sh", "echo said; false; true")) ?? "", /exit status 1\nsaid/);
  assert.match((await judge("sh", "false | true")) ?? "", /exit status 1/);
  assert.match((await judge("sh", "echo $NOT_SET_ANYWHERE")) ?? "", /NOT_SET_ANYWHERE/);
});

test("ts runs from inside the repository and leaves nothing", async () => {
  assert.equal(
    await judge("ts", 'import { parse } from "yaml";\nconst a: number = parse("1");\nif (a !== 1) throw new Error();'),
    null,
  );
  assert.match((await judge("ts", 'throw new Error("told");')) ?? "", /told/);
  assert.equal(existsSync(join(ROOT, ".docs-tmp")), false);
});

test("yaml must load as a configuration", async () => {
  assert.equal(await judge("yaml", "version: 1\nbackends: { here: { engine: embedded } }\n"), null);
  assert.match((await judge("yaml", "version: 1\nnothingLikeThis: 1\n")) ?? "", /^a\.md:3:1: nothingLikeThis/m);
});

test("a language that cannot be checked fails", async () => {
  assert.match((await judge("python", "1")) ?? "", /cannot be checked/);
});
