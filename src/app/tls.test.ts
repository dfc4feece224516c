import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { makeCertificate } from "../../test/fakes/certificate.ts";
import { readTls } from "./tls.ts";

const FILES = { certFile: "/etc/c.pem", keyFile: "/etc/k.pem" };
const pair = makeCertificate();
const other = makeCertificate();

function read(files: Readonly<Record<string, string>>): ReturnType<typeof readTls> {
  return readTls(FILES, (path) => {
    const found = files[path];
    if (found === undefined) throw Object.assign(new Error(`no ${path}`), { code: "ENOENT" });
    return found;
  });
}

test("a certificate and its key are taken, with a chain behind it too", () => {
  assert.deepEqual(read({ "/etc/c.pem": pair.cert, "/etc/k.pem": pair.key }), pair);
  const chain = pair.cert + other.cert;
  assert.equal(read({ "/etc/c.pem": chain, "/etc/k.pem": pair.key }).cert, chain);
});

test("what is wrong with them is said, and never what they hold", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const locked = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }) as string;
  const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{}, /server\.tls\.certFile: \/etc\/c\.pem cannot be read \(ENOENT\)/],
    [{ "/etc/c.pem": pair.cert }, /server\.tls\.keyFile: \/etc\/k\.pem cannot be read \(ENOENT\)/],
    [{ "/etc/c.pem": "hello", "/etc/k.pem": pair.key }, /certFile: .* holds no certificate/],
    [{ "/etc/c.pem": pair.key, "/etc/k.pem": pair.cert }, /certFile: .* holds no certificate/],
    [{ "/etc/c.pem": pair.cert, "/etc/k.pem": "hello" }, /keyFile: .* holds no private key/],
    [{ "/etc/c.pem": pair.cert, "/etc/k.pem": locked }, /keyFile: .* holds no private key .* without a passphrase/],
    [{ "/etc/c.pem": pair.cert, "/etc/k.pem": other.key }, /does not belong/],
    [{ "/etc/c.pem": other.cert + pair.cert, "/etc/k.pem": pair.key }, /does not belong to the first certificate/],
  ];
  for (const [files, words] of cases) {
    assert.throws(
      () => read(files),
      (error: Error) => words.test(error.message) && !error.message.includes("BEGIN") && error.message.includes("→"),
      String(words),
    );
  }
});
