import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../run.ts";
import { ROOT } from "../serve-for.ts";
import { parseOptions } from "./options.ts";
import { median, type Row, summarise } from "./summary.ts";

const ROUND = {
  cpuUsPerRequest: 40,
  requestsPerSecond: 20_000,
  cpuUsPerChunk: 30,
  p50Ms: 1,
  p99Ms: 2,
  ttftP50Ms: 3,
  ttftP99Ms: 4,
  failed: 0,
};

test("the pieces of the benchmark work together: nothing fails and every figure is there", async () => {
  const args = [join(ROOT, "scripts", "bench.ts"), "--rounds", "1", "--seconds", "0.1", "--json"];
  const { status, output } = await run({
    command: process.execPath,
    args: [...args, "--only", "direct,baseload,bare"],
    timeoutMs: 60_000,
  });
  assert.equal(status, 0, output);
  const printed = output.split("\n").find((line) => line.startsWith("{"));
  const { rows } = JSON.parse(printed ?? "{}") as { readonly rows: readonly Row[] };
  assert.deepEqual(
    rows.map(({ name, failed }) => [name, failed]),
    [
      ["direct", 0],
      ["baseload", 0],
      ["bare", 0],
    ],
  );
  const [, baseload] = rows;
  assert(baseload !== undefined);
  for (const figure of ["cpuUsPerRequest", "cpuUsPerChunk", "requestRatio", "chunkRatio", "rssMb"] as const) {
    assert((baseload[figure] ?? 0) > 0, figure);
  }
});

test("ratios and added latencies are taken round by round, then the median", () => {
  const direct = { name: "direct", rssBytes: null, rounds: [ROUND, { ...ROUND, p50Ms: 10 }] } as const;
  const bare = { ...direct, name: "bare" } as const;
  const slow = { ...ROUND, cpuUsPerRequest: 80, p50Ms: 1.5 };
  const baseload = { ...direct, name: "baseload", rounds: [slow, { ...slow, p50Ms: 11.5 }] } as const;
  const row = summarise([direct, baseload, bare])[1];
  assert.equal(row?.requestRatio, 2);
  assert.equal(row?.addedP50Ms, 1);
});

test("the median of an even count lies between the middle two, of nothing it is unknown", () => {
  assert.equal(median([4, 1, null, 3, 2]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([]), null);
});

test("options are checked in words", () => {
  assert.throws(() => parseOptions(["--rounds", "0"]), /whole number/);
  assert.throws(() => parseOptions(["--only", "direct,squid"]), /"squid"/);
  assert.deepEqual(parseOptions(["--only", "bare,direct"]).only, ["direct", "bare"]);
});
