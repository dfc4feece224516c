import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { writeTinyModel } from "../../engines/embedded/tiny-model.ts";
import { FakeHub } from "../../../test/fakes/hub.ts";
import { until } from "../../../test/until.ts";
import { wantedBy } from "./hub.ts";
import { tryHold } from "./locks.ts";
import { pull, type PullOptions } from "./pull.ts";

let tiny: Buffer;
let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), "baseload-pull-"));
  writeTinyModel(join(root, "tiny.gguf"));
  tiny = readFileSync(join(root, "tiny.gguf"));
});
after(() => rmSync(root, { recursive: true, force: true }));

/** A fresh folder and what is pulled into it. */
class Bench {
  readonly dir = mkdtempSync(join(root, "models-"));
  readonly said: string[] = [];
  readonly stop = new AbortController();
  token: PullOptions["token"] = null;
  freeBytes: PullOptions["freeBytes"];
  onBytes: PullOptions["onBytes"] = (_file, haveBytes) => this.hub.arrived(haveBytes);
  name: string | null = null;
  readonly hub: FakeHub;

  constructor(hub: FakeHub) {
    this.hub = hub;
  }

  async pull(reference: string, sha256: string | null = null) {
    const asking = { token: this.token, signal: this.stop.signal };
    const wanted = await wantedBy(reference, { hub: this.hub.url, name: this.name }, asking);
    return pull(
      wanted.map((each) => ({ ...each, sha256: sha256 ?? each.sha256 })),
      {
        ...asking,
        dir: this.dir,
        onBytes: (...args) => this.onBytes(...args),
        say: (line) => this.said.push(line),
        waitMs: () => 0,
        ...(this.freeBytes === undefined ? {} : { freeBytes: this.freeBytes }),
      },
    );
  }

  read(file: string): Buffer {
    return readFileSync(join(this.dir, file));
  }

  get files(): readonly string[] {
    return readdirSync(this.dir).filter((file) => file !== ".locks");
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function withHub(test: (bench: Bench, hub: FakeHub) => Promise<void>): Promise<void> {
  await using hub = await FakeHub.start();
  await test(new Bench(hub), hub);
}

describe("pulling from a hub", () => {
  it("takes a file by its path, and its checksum", () =>
    withHub(async (bench, hub) => {
      hub.put("sub/m-Q4_K_M.gguf", tiny);
      const [pulled] = await bench.pull("hf:org/repo/sub/m-Q4_K_M.gguf");
      assert.deepEqual(pulled, {
        file: "m-Q4_K_M.gguf",
        sizeBytes: tiny.length,
        sha256: sha256Of(tiny),
        wasThere: false,
      });
      assert.ok(bench.read("m-Q4_K_M.gguf").equals(tiny));
      assert.deepEqual(bench.files, ["m-Q4_K_M.gguf"]);
    }));

  it("finds a quantization by its name, past projectors and others that end alike", () =>
    withHub(async (bench, hub) => {
      for (const path of ["m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-IQ4_K_M.gguf", "mmproj-Q4_K_M.gguf", "README.md"])
        hub.put(path, tiny);
      const [pulled] = await bench.pull("hf:org/repo:q4_k_m");
      assert.equal(pulled?.file, "m-Q4_K_M.gguf");
      await assert.rejects(
        bench.pull("hf:org/repo:Q5_K_M"),
        /no GGUF file of Q5_K_M; it has:\n {2}hf:org\/repo\/m-Q4_K_M/,
      );
      await assert.rejects(bench.pull("hf:org/repo"), /several models that fit; name one/);
    }));

  it("takes every part of a split model, by any part's name or by its quantization", () =>
    withHub(async (bench, hub) => {
      const parts = ["m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00002-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf"];
      for (const part of parts) hub.put(`big/${part}`, tiny);
      assert.deepEqual(
        (await bench.pull("hf:org/repo:Q8_0")).map(({ file }) => file),
        parts,
      );
      const other = new Bench(hub);
      other.name = "mine";
      await other.pull("hf:org/repo/big/m-Q8_0-00002-of-00003.gguf");
      assert.deepEqual(
        other.files,
        parts.map((part) => part.replace("m-Q8_0", "mine")),
      );
      hub.files.delete(`big/${parts[1] ?? ""}`);
      await assert.rejects(new Bench(hub).pull("hf:org/repo:Q8_0"), /2 of the 3 parts/);
    }));

  it("sends the token to the hub alone", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      hub.token = "hf_secret";
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /status 401; set HF_TOKEN/);
      bench.token = { origin: hub.url, value: "hf_secret" };
      hub.redirects = 3;
      await bench.pull("hf:org/repo/m.gguf");
      const withToken = hub.asked.filter(({ authorization }) => authorization !== undefined);
      assert.deepEqual(
        withToken.map(({ at }) => at),
        ["hub"],
      );
      assert.ok(hub.asked.some(({ at }) => at === "store"));
    }));

  it("says what is not there, and follows redirects to an end", () =>
    withHub(async (bench, hub) => {
      await assert.rejects(bench.pull("hf:org/repo/none.gguf"), /there is no file http.*none\.gguf \(status 404\)/);
      assert.deepEqual(bench.files, []);
      hub.put("m.gguf", tiny);
      hub.redirects = 9;
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /redirects more than 5 times/);
    }));

  it("refuses what is no GGUF and keeps nothing of it", () =>
    withHub(async (bench, hub) => {
      hub.put("page.gguf", Buffer.from("<html>Sign in</html>"));
      hub.put("short.gguf", tiny.subarray(0, 3));
      hub.put("torn.gguf", tiny.subarray(0, 500));
      await assert.rejects(bench.pull("hf:org/repo/page.gguf"), /not a GGUF file/);
      await assert.rejects(bench.pull("hf:org/repo/short.gguf"), /ends in the middle of its head/);
      await assert.rejects(bench.pull("hf:org/repo/torn.gguf"), /ends in the middle of its head/);
      assert.deepEqual(bench.files, []);
    }));

  it("refuses another checksum than the hub's or the given one and keeps nothing", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      await assert.rejects(bench.pull("hf:org/repo/m.gguf", "0".repeat(64)), /SHA-256 .* but 0{64} was expected/);
      hub.checksum = "1".repeat(64);
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /but 1{64} was expected/);
      assert.deepEqual(bench.files, []);
    }));

  it("keeps a file that is there, unless another one is wanted", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      await bench.pull("hf:org/repo/m.gguf");
      assert.equal((await bench.pull("hf:org/repo/m.gguf", sha256Of(tiny)))[0]?.wasThere, true);
      await assert.rejects(bench.pull("hf:org/repo/m.gguf", "0".repeat(64)), /there already with other contents/);
      assert.ok(bench.read("m.gguf").equals(tiny));
    }));
});

describe("a pull that is cut", () => {
  it("gives the same file wherever it is cut", { timeout: 120_000 }, () =>
    withHub(async (_, hub) => {
      const file = hub.put("m.gguf", tiny);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(tiny.length), { maxLength: 6 }),
          fc.boolean(),
          fc.boolean(),
          async (cuts, saysChecksum, saysEtag) => {
            Object.assign(hub, { cuts: [...cuts], saysChecksum, saysEtag });
            const bench = new Bench(hub);
            // Some runs of cuts end a command; the next one goes on.
            for (let runs = 0; !existsSync(join(bench.dir, "m.gguf")); runs++) {
              assert.ok(runs <= cuts.length);
              await bench
                .pull("hf:org/repo/m.gguf")
                .catch((error: unknown) => assert.match(String(error), /what came is kept/));
            }
            assert.ok(bench.read("m.gguf").equals(file.bytes));
            assert.deepEqual(bench.files, ["m.gguf"]);
          },
        ),
        { numRuns: 60 },
      );
      assert.ok(hub.asked.some(({ range }) => range !== undefined));
    }),
  );

  it("goes on by another command where the last one ended, even at the last byte", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      for (const stopAt of [1, 4, tiny.length - 1, tiny.length]) {
        const fresh = new Bench(hub);
        writePart(fresh, tiny.subarray(0, stopAt), hub);
        hub.asked.length = 0;
        await fresh.pull("hf:org/repo/m.gguf");
        assert.ok(fresh.read("m.gguf").equals(tiny));
        assert.equal(hub.asked.at(-1)?.range, `bytes=${stopAt}-`);
      }
      assert.deepEqual(bench.files, []);
    }));

  it("begins again when the file is another one, whether the server says so by status, tag or checksum", () =>
    withHub(async (_, hub) => {
      const other = Buffer.concat([tiny, Buffer.alloc(64)]);
      for (const how of ["if-range", "tag alone", "checksum alone", "no range"]) {
        hub.put("m.gguf", tiny);
        const bench = new Bench(hub);
        writePart(bench, tiny.subarray(0, 1000), hub);
        hub.put("m.gguf", other);
        Object.assign(hub, { ignoresIfRange: how === "tag alone", ignoresRange: how === "no range" });
        hub.saysChecksum = how !== "tag alone";
        hub.saysEtag = how !== "checksum alone";
        await bench.pull("hf:org/repo/m.gguf");
        assert.ok(bench.read("m.gguf").equals(other), how);
        assert.match(bench.said.join(), /beginning again/, how);
      }
    }));

  it("begins again where the part came from elsewhere, or what was noted of it is torn", () =>
    withHub(async (_, hub) => {
      hub.put("m.gguf", tiny);
      for (const note of ['{"url":"http://elsewhere/m.gguf","etag":"\\"x\\"","sha256":null}', '{"url":', "[]"]) {
        const bench = new Bench(hub);
        writeFileSync(join(bench.dir, "m.gguf.part"), Buffer.from(tiny.subarray(0, 1000)).fill(7, 500));
        writeFileSync(join(bench.dir, "m.gguf.part.json"), note);
        await bench.pull("hf:org/repo/m.gguf");
        assert.ok(bench.read("m.gguf").equals(tiny), note);
      }
    }));

  it("tries again after a refusal that passes, and gives up on one that stays", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      hub.statuses = [503, 429];
      await bench.pull("hf:org/repo/m.gguf");
      assert.equal(bench.said.length, 2);
      hub.statuses = [503, 503, 503, 503, 503, 503];
      await assert.rejects(new Bench(hub).pull("hf:org/repo/m.gguf"), /status 503; what came is kept/);
      assert.equal(hub.statuses.length, 1);
    }));

  it("leaves a part that can be gone on with when it is stopped", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      hub.cuts = [5000];
      bench.onBytes = (_file, have) => {
        if (have >= 5000) bench.stop.abort();
      };
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), { name: "AbortError" });
      assert.ok(bench.read("m.gguf.part").equals(tiny.subarray(0, 5000)));
      assert.deepEqual(bench.files, ["m.gguf.part", "m.gguf.part.json"]);
    }));
});

describe("pulling", () => {
  it("begins only what there is room for", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      bench.freeBytes = () => Promise.resolve(tiny.length - 1);
      await assert.rejects(
        bench.pull("hf:org/repo/m.gguf"),
        new RegExp(`${tiny.length} bytes are to come, but .* has room for ${tiny.length - 1}`),
      );
      hub.cuts = [10];
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /has room for/);
      await until("the connection is let go", () => !hub.isHolding);
      writePart(bench, tiny.subarray(0, 10), hub);
      await bench.pull("hf:org/repo/m.gguf");
    }));

  it("takes files by their URLs", () =>
    withHub(async (bench, hub) => {
      hub.put("x.gguf", tiny);
      await bench.pull(pathToFileURL(join(root, "tiny.gguf")).href);
      await bench.pull(`${hub.storeUrl}/1/x.gguf?token=secret`);
      assert.deepEqual(bench.files, ["tiny.gguf", "x.gguf"]);
      await assert.rejects(bench.pull("file:///nowhere/y.gguf"), /there is no file \/nowhere\/y\.gguf/);
      const error = await bench.pull(`${hub.storeUrl}/1/none.gguf?token=secret`).catch(String);
      assert.doesNotMatch(String(error), /secret/);
    }));

  it("refuses names that are none", () =>
    withHub(async (bench) => {
      for (const name of [
        "m",
        "ftp://h/m.gguf",
        "hf:org",
        "hf:org/repo/../m.gguf",
        "hf:org/repo/m.bin",
        "https://u:p@h/m.gguf",
      ])
        await assert.rejects(bench.pull(name), { name: "UsageError" }, name);
      await assert.rejects(bench.pull("https://h/.gguf"), /cannot be a file's name/);
      await assert.rejects(bench.pull("https://h/..%2f..%2fm.gguf"), /cannot be a file's name/);
    }));

  it("happens once at a time for one model, and not while it is used", () =>
    withHub(async (bench, hub) => {
      hub.put("m.gguf", tiny);
      const first = bench.pull("hf:org/repo/m.gguf");
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /being pulled by another process/);
      await first;
      const use = tryHold(bench.dir, "m", "shared");
      const also = tryHold(bench.dir, "m", "shared");
      await assert.rejects(bench.pull("hf:org/repo/m.gguf"), /in use by a running server/);
      use?.release();
      also?.release();
      assert.equal((await bench.pull("hf:org/repo/m.gguf"))[0]?.wasThere, true);
    }));
});

/** What a process that was killed leaves of the hub's `m.gguf`. */
function writePart({ dir }: Bench, bytes: Buffer, hub: FakeHub): void {
  const { etag = null } = hub.files.get("m.gguf") ?? {};
  const url = `${hub.url}/org/repo/resolve/main/m.gguf`;
  writeFileSync(join(dir, "m.gguf.part"), bytes);
  writeFileSync(
    join(dir, "m.gguf.part.json"),
    JSON.stringify({ url, etag, sha256: sha256Of(hub.files.get("m.gguf")?.bytes ?? tiny) }),
  );
}
