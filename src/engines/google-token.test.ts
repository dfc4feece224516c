import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileToken, serviceAccountOf } from "./google-token.ts";

test("a token's file is read when it is first wanted, and again while it holds none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "baseload-token-"));
  const path = join(folder, "token");
  try {
    const token = new FileToken(path);
    assert.equal(token.current(), null);
    await assert.rejects(token.fetch(), /cannot be read or holds no token/);
    writeFileSync(path, "two words\n");
    assert.equal(token.current(), null);
    writeFileSync(path, "ya29.token\n");
    assert.equal(token.current(), "ya29.token");
    assert.equal(await token.fetch(), "ya29.token");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a service account is read from its key's file, with Google's endpoint unless it names another", () => {
  const key = { client_email: "robot@p", private_key: "PEM", private_key_id: "k" };
  const account = { clientEmail: "robot@p", privateKey: "PEM", privateKeyId: "k" };
  assert.deepEqual(serviceAccountOf(JSON.stringify(key)), {
    ...account,
    tokenUrl: "https://oauth2.googleapis.com/token",
  });
  const other = "https://sts.example.com";
  assert.equal(serviceAccountOf(JSON.stringify({ ...key, token_uri: other }))?.tokenUrl, other);
  for (const text of ["", "[]", "{}", '{"client_email":1,"private_key":"PEM"}'])
    assert.equal(serviceAccountOf(text), null);
});
