import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBans } from "./bans.ts";
import { sourceOf } from "./source.ts";

const judge = (path: string, text: string): readonly string[] =>
  checkBans([sourceOf(path, text)]).map(({ what }) => what.replace(/ is banned.*/, ""));

test("each banned word is found in a folder that decides", () => {
  const bad: readonly (readonly [string, string])[] = [
    ["const now = Date.now();", "Date"],
    ["const at = performance.now();", "performance"],
    ["setTimeout(f, 1);", "setTimeout"],
    ["setInterval(f, 1);", "setInterval"],
    ["setImmediate(f);", "setImmediate"],
    ["queueMicrotask(f);", "queueMicrotask"],
    ["const x = Math.random();", "Math.random"],
    ["crypto.randomUUID();", "crypto"],
    ["fetch(url);", "fetch"],
    ["const home = process.env.HOME;", "process"],
    ["globalThis.x = 1;", "globalThis"],
    ["const p: Promise<void> = x;", "Promise"],
    ["const f = async () => 1;", "async"],
    ["for (;;) await x;", "await"],
    ["const fs = require(name);", "require"],
    ["const m = import(name);", "import("],
    ["const here = import.meta.url;", "import.meta"],
    ["console.log(1);", "console"],
    ["const t = `${Date.now()}`;", "Date"],
    ["new Intl.NumberFormat();", "Intl"],
    ["a.localeCompare(b);", ".localeCompare"],
    ["new WeakRef(a);", "WeakRef"],
  ];
  for (const folder of ["base", "catalog", "cost", "policy", "dispatch", "ledger", "audit", "kernel"]) {
    for (const [text, word] of bad) assert.ok(judge(`src/${folder}/x.ts`, text).includes(word), `${folder}: ${text}`);
  }
});

test("floating point functions and powers are banned in kernel and ledger alone", () => {
  const bad = [
    "Math.log(x)",
    "Math.exp(x)",
    "Math.pow(x, y)",
    "Math.sin(x)",
    "x ** 2",
    "2 ** x",
    "x **= 2",
    "1.5 ** 2",
  ];
  for (const text of bad) {
    for (const folder of ["kernel", "ledger"]) assert.equal(judge(`src/${folder}/x.ts`, text).length > 0, true, text);
    assert.deepEqual(judge("src/cost/x.ts", text), [], text);
  }
  for (const text of ["2 ** 53", "10n ** 9n", "Math.floor(x)", "Math.max(x, y)"]) {
    assert.deepEqual(judge("src/kernel/x.ts", text), [], text);
  }
});

test("comments, strings, properties, longer words, tests and other folders are left alone", () => {
  const good = [
    "// Date.now() and await",
    'const text = "Promise";',
    "const template = `fetch ${a} process`;",
    "a.process(b); a.fetch(); a.performance;",
    "interface A { readonly fetch: string; process?: number }",
    "const DateLike = 1; const asyncness = 2; const updateDate_ = 3;",
    "const wallMs = event.wallMs;",
  ];
  for (const text of good) assert.deepEqual(judge("src/kernel/x.ts", text), [], text);
  assert.deepEqual(judge("src/kernel/x.test.ts", "await Date.now()"), []);
  assert.deepEqual(judge("src/live/x.ts", "await Date.now()"), []);
});

test("each message names the replacement", () => {
  const [finding] = checkBans([sourceOf("src/kernel/x.ts", "\nDate.now()")]);
  assert.equal(finding?.line, 2);
  assert.match(finding?.instead ?? "", /now/);
});
