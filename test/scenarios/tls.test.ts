import assert from "node:assert/strict";
import { get } from "node:https";
import { describe, it } from "node:test";
import { makeCertificate } from "../fakes/certificate.ts";
import { until } from "../gateway-suite/check.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const { cert, key } = makeCertificate();

const configOf = (certFile: string, keyFile: string, host = "127.0.0.1"): string => `
version: 1
server: { host: "${host}", tls: { certFile: "${certFile}", keyFile: "${keyFile}" } }
backends: { dead: { url: "http://127.0.0.1:1/v1", models: "*" } }
`;

/** The status of /healthz for a client that trusts this certificate alone, or null when it does not trust the server's. */
function statusBy(ca: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/healthz", ca, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? null);
    }).on("error", () => resolve(null));
  });
}

describe("a server with a certificate", () => {
  it("serves HTTPS and says so", async () => {
    using folder = new Folder();
    const config = configOf(folder.write("cert.pem", cert), folder.write("key.pem", key));
    await using server = await Baseload.start({ config });
    assert.match(server.child.stdout, /serves on https:\/\/127\.0\.0\.1:\d+/);
    assert.equal(await statusBy(cert, server.port), 200);
  });

  it("takes up a renewed certificate at SIGHUP, and keeps the old one when the new pair does not fit", async () => {
    using folder = new Folder();
    const config = configOf(folder.write("cert.pem", cert), folder.write("key.pem", key));
    await using server = await Baseload.start({ config });
    const renewed = makeCertificate();
    folder.write("cert.pem", renewed.cert);
    server.child.signal("SIGHUP");
    await until(async () => server.child.stderr.includes("does not belong") || undefined, {
      withinMs: 10_000,
      orElse: "the unfit pair was not told",
    });
    assert.equal(await statusBy(cert, server.port), 200);
    folder.write("key.pem", renewed.key);
    server.child.signal("SIGHUP");
    await until(async () => ((await statusBy(renewed.cert, server.port)) === 200 ? true : undefined), {
      withinMs: 10_000,
      orElse: "the renewed certificate was not taken up",
    });
  });

  it("that cannot be used does not start, and says why", async () => {
    using folder = new Folder();
    const [certFile, keyFile] = [folder.write("cert.pem", cert), folder.write("key.pem", makeCertificate().key)];
    for (const [config, words] of [
      [configOf(certFile, `${folder.path}/none.pem`), /server\.tls\.keyFile: .*none\.pem cannot be read \(ENOENT\)/],
      [configOf(certFile, keyFile), /does not belong/],
      // A certificate is no key: whoever asks still must have one, to be let in from other machines.
      [configOf(certFile, keyFile, "0.0.0.0"), /no tenant has a key/],
    ] as const) {
      const path = folder.write("baseload.yaml", config);
      const { code, stderr } = await runBaseload(["serve", path, "--port", "0", "--data-dir", `${folder.path}/data`]);
      assert.equal(code, 1);
      assert.match(stderr, words);
    }
  });
});
