import assert from "node:assert/strict";
import { test } from "node:test";
import { readSecret, SecretError } from "./secrets.ts";
import type { SecretDoors } from "./secrets.ts";
import type { SecretSource } from "./types.ts";

function doors(env: Record<string, string>, files: Record<string, string> = {}): SecretDoors {
  return {
    env,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error("ENOENT sk-not-to-be-shown");
      return text;
    },
  };
}

function failure(source: SecretSource, through: SecretDoors): string {
  try {
    readSecret(source, through);
  } catch (error) {
    assert.ok(error instanceof SecretError);
    assert.ok(error.remedy.length > 0);
    return error.message;
  }
  return assert.fail("a secret was read");
}

test("a secret comes without its trailing newline", () => {
  assert.equal(readSecret({ env: "KEY" }, doors({ KEY: "sk-1" })), "sk-1");
  assert.equal(readSecret({ file: "/k" }, doors({}, { "/k": "sk-2\n" })), "sk-2");
  assert.equal(readSecret({ file: "/k" }, doors({}, { "/k": "sk-3\r\n" })), "sk-3");
});

test("what is missing or empty is named with what to do", () => {
  assert.equal(
    failure({ env: "KEY" }, doors({})),
    "the environment variable KEY is not set → set KEY before starting, or correct the name",
  );
  assert.match(failure({ env: "KEY" }, doors({ KEY: "" })), /KEY is empty/);
  assert.match(failure({ file: "/k" }, doors({}, { "/k": "\n" })), /\/k is empty/);
  assert.match(failure({ file: "/none" }, doors({})), /^the file \/none cannot be read → /);
});

test("messages never hold the secret", () => {
  for (const secret of ["sk-secret one", "sk-secret\ntwo", " sk-secret", "sk-secret\u0000", "sk-secrét"]) {
    assert.doesNotMatch(failure({ env: "KEY" }, doors({ KEY: secret })), /secr/);
  }
  assert.doesNotMatch(failure({ file: "/none" }, doors({})), /not-to-be-shown/);
});
