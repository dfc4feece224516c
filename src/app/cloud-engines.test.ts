import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { engineSecrets } from "./cloud-engines.ts";
import { SecretError } from "./config/secrets.ts";
import type { VertexEngineConfig } from "./config/types.ts";

const COMMON = { backendId: "b", url: "https://example.com", headers: {}, onLoss: "refuse" } as const;
const doors = (files: Readonly<Record<string, string>>) => ({
  env: { ID: "id", SECRET: "secret" },
  readFile: (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  },
});

test("every secret of a signature is read, and only those that are named", () => {
  const auth = { accessKeyId: { env: "ID" }, secretAccessKey: { env: "SECRET" }, sessionToken: null };
  const secrets = engineSecrets({ kind: "bedrock", ...COMMON, region: "r", auth }, doors({}));
  assert.deepEqual(secrets, { accessKeyId: "id", secretAccessKey: "secret" });
});

test("a service account's file must hold a key that signs, and no message quotes it", () => {
  const vertex: VertexEngineConfig = {
    kind: "vertex",
    ...COMMON,
    project: "p",
    location: "global",
    auth: { serviceAccountFile: "/sa.json" },
  };
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  const good = JSON.stringify({ client_email: "robot@p", private_key: pem });
  assert.deepEqual(engineSecrets(vertex, doors({ "/sa.json": good })), { serviceAccount: good });
  const bad = ["no JSON", "{}", '{"client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----\\nSECRET"}'];
  for (const text of bad) {
    assert.throws(
      () => engineSecrets(vertex, doors({ "/sa.json": text })),
      (error) => error instanceof SecretError && !error.message.includes("SECRET"),
    );
  }
  assert.throws(() => engineSecrets(vertex, doors({})), SecretError);
});
