import assert from "node:assert/strict";
import { get } from "node:https";
import { describe, it } from "node:test";
import { makeCertificate } from "../fakes/certificate.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";

const { cert, key } = makeCertificate();

const configOf = (certFile: string, keyFile: string, host = "127.0.0.1"): string => `
version: 1
server: { host: "${host}", tls: { certFile: "${certFile}", keyFile: "${keyFile}" } }
backends: { dead: { url: "http://127.0.0.1:1/v1", models: "*" } }
`;

describe("a server with a certificate", () => {
  it("serves HTTPS and says so", async () => {
    using folder = new Folder();
    const config = configOf(folder.write("cert.pem", cert), folder.write("key.pem", key));
    await using server = await Baseload.start({ config });
    assert.match(server.child.stdout, /serves on https:\/\/127\.0\.0\.1:\d+/);
    const status = await new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port: server.port, path: "/healthz", ca: cert, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on("error", reject);
    });
    assert.equal(status, 200);
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
