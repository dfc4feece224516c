import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isTinyModel, writeTinyModel } from "../engines/embedded/tiny-model.ts";
import { defaultConfig } from "./config/load.ts";
import { provideTinyModel } from "./tiny.ts";

const dataDir = mkdtempSync(join(tmpdir(), "tiny-"));
after(() => rmSync(dataDir, { recursive: true }));
const path = join(dataDir, "baseload-tiny.gguf");

test("a tiny model of another version, or a damaged one, is written anew, and the right one is left alone", () => {
  const config = defaultConfig();
  provideTinyModel(config, dataDir);
  assert.ok(isTinyModel(path));
  const { ino } = statSync(path);
  provideTinyModel(config, dataDir);
  assert.equal(statSync(path).ino, ino, "not written again");
  writeTinyModel(path, { chatTemplate: "{{ messages[0].content }}" });
  provideTinyModel(config, dataDir);
  assert.ok(isTinyModel(path));
  truncateSync(path, 1000);
  provideTinyModel(config, dataDir);
  assert.ok(isTinyModel(path));
  assert.deepEqual(readdirSync(dataDir), ["baseload-tiny.gguf"], "nothing unfinished is left");
});

test("without an embedded backend nothing is written", () => {
  const empty = join(dataDir, "none");
  provideTinyModel({ ...defaultConfig(), engines: [] }, empty);
  assert.equal(statSync(empty, { throwIfNoEntry: false }), undefined);
});
