import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { type MockUpstream, startMock } from "../../../test/upstream/mock-upstream.ts";
import { Baseload } from "../../../test/scenarios/lib/baseload.ts";
import type { BenchReport } from "./report.ts";

const MAIN = join(import.meta.dirname, "..", "main.ts");
/** Fast, so that tests are: nothing here depends on how fast. */
const LOAD = ["--rate", "200", "--arrivals", "constant", "--requests", "20", "--seed", "7"];

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `baseload bench`; `meanwhile` may signal it by its process id. */
async function bench(
  args: readonly string[],
  how: { readonly env?: Record<string, string>; readonly meanwhile?: (pid: number) => Promise<void> } = {},
): Promise<Ran> {
  const env = { ...process.env, ...how.env };
  const child = spawn(process.execPath, [MAIN, "bench", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const { promise: status, resolve } = Promise.withResolvers<number | null>();
  child.once("close", resolve);
  if (child.pid !== undefined) await how.meanwhile?.(child.pid);
  return { status: await status, out, err };
}

function reportOf(ran: Ran): BenchReport {
  assert.notEqual(ran.out, "", ran.err);
  return JSON.parse(ran.out) as BenchReport;
}

async function withMock(use: (mock: MockUpstream) => Promise<void>): Promise<void> {
  const mock = await startMock();
  try {
    await use(mock);
  } finally {
    await mock.close();
  }
}

test("streams of an endpoint are sent as planned and reported whole", () =>
  withMock(async (mock) => {
    const args = ["--model", "ok", "--json", "--slo-e2e-ms", "60000", "--key-env", "SOME_KEY", "--class", "batch"];
    const ran = await bench([mock.baseUrl, ...LOAD, ...args], { env: { SOME_KEY: "sk-very-secret" } });
    const report = reportOf(ran);
    assert.equal(ran.status, 0, ran.err);
    assert.ok(!ran.out.includes("sk-very-secret") && !ran.err.includes("sk-very-secret"));
    assert.equal(report.schemaVersion, 1);
    assert.deepEqual([report.requests.scheduled, report.requests.completed, report.requests.failed], [20, 20, 0]);
    assert.equal(report.load.drawnPerSecond, 200);
    assert.deepEqual([report.outputTokens.tokens, report.outputTokens.requests.usage], [20 * 57, 20]);
    assert.deepEqual([report.inputTokens.tokens, report.goodput?.requests], [20 * 1234, 20]);
    assert.deepEqual([report.goodput?.share, report.goodput?.usefulTokens.tokens], [1, 20 * 57]);
    const { ttft, tpot, itl, e2e, sendDelay } = report.latencyMs;
    assert.deepEqual(
      [ttft, tpot, itl, e2e, sendDelay].map((each) => each?.count),
      [20, 20, 20 * 6, 20, 20],
    );
    assert.ok(ttft !== null && e2e !== null && sendDelay !== null);
    assert.ok(sendDelay.min >= 0 && ttft.min >= sendDelay.min && e2e.max >= ttft.max);
    assert.equal(report.receipts, null);
    assert.equal(mock.requests.length, 20);
    for (const { headers, path, bodyText } of mock.requests) {
      assert.deepEqual([path, headers.authorization], ["/v1/chat/completions", "Bearer sk-very-secret"]);
      assert.equal(headers["x-baseload-class"], "batch");
      assert.equal((JSON.parse(bodyText) as { max_tokens: number }).max_tokens, 64);
    }
  }));

test("the same seed sends the same bodies, whole answers are read, and the table is printed", () =>
  withMock(async (mock) => {
    const args = ["--model", "ok", "--no-stream", "--endpoint", "completions", "--prompt-tokens", "5..50"];
    const first = await bench([mock.baseUrl, ...LOAD, ...args]);
    const bodies = mock.requests.map(({ bodyText }) => bodyText).toSorted();
    await mock.reset();
    await bench([mock.baseUrl.replace("/v1", "/"), ...LOAD, ...args]);
    assert.deepEqual(mock.requests.map(({ bodyText }) => bodyText).toSorted(), bodies);
    assert.equal(new Set(bodies).size, 20);
    assert.equal(first.status, 0);
    assert.match(first.out, /20 completed, 0 failed/);
    assert.match(first.out, /goodput +unknown +no objective was given/);
    assert.ok(!first.out.includes("\u001b["), "no colours where there is no terminal");
  }));

test("failures are told by their codes, and a run without a completed request fails", () =>
  withMock(async (mock) => {
    const ran = await bench([mock.baseUrl, ...LOAD, "--json", "--model", "rate-limited"]);
    assert.equal(ran.status, 1);
    const { requests, latencyMs, goodput } = reportOf(ran);
    assert.deepEqual([requests.completed, requests.failed, latencyMs.e2e, goodput], [0, 20, null, null]);
    const [failure] = requests.failures;
    assert.deepEqual([failure?.code, failure?.count], ["429 rate_limit_exceeded", 20]);
    const broken = reportOf(await bench([mock.baseUrl, ...LOAD, "--json", "--model", "dies-mid-stream"]));
    assert.deepEqual(
      broken.requests.failures.map(({ code, count }) => [code, count]),
      [["connection_closed", 20]],
    );
  }));

test("what is due beyond the bound is not sent and counts as failed, and silence is given up", () =>
  withMock(async (mock) => {
    const load = ["--arrivals", "burst", "--burst", "6", "--requests", "6", "--max-in-flight", "2", "--timeout", "0.3"];
    const ran = await bench([mock.baseUrl, ...load, "--json", "--model", "silent"]);
    const { requests } = reportOf(ran);
    assert.equal(ran.status, 1);
    assert.deepEqual([requests.scheduled, requests.failed, requests.notSent], [6, 6, 4]);
    assert.deepEqual(
      requests.failures.map(({ code, count }) => [code, count]),
      [
        ["not_sent", 4],
        ["timeout", 2],
      ],
    );
    assert.equal(mock.requests.length, 2);
  }));

test("goodput under what was asked fails the run", () =>
  withMock(async (mock) => {
    const judged = (ms: string): Promise<Ran> =>
      bench([mock.baseUrl, ...LOAD, "--model", "ok", "--slo-e2e-ms", ms, "--fail-under-goodput", "0.5"]);
    assert.equal((await judged("60000")).status, 0);
    const missed = await judged("0.001");
    assert.equal(missed.status, 1);
    assert.match(missed.err, /goodput was 0.000\/s, under the 0.5\/s asked for/);
  }));

test("a signal ends the run early, and what was seen is reported", { timeout: 60_000 }, () =>
  withMock(async (mock) => {
    const meanwhile = async (pid: number): Promise<void> => {
      while (mock.requests.length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
      // Twice at once, as a launcher that hands on its terminal's signal does.
      process.kill(pid, "SIGINT");
      process.kill(pid, "SIGINT");
    };
    const load = ["--rate", "50", "--duration", "3600", "--model", "endless", "--json"];
    const ran = await bench([mock.baseUrl, ...load], { meanwhile });
    const { interrupted, requests } = reportOf(ran);
    assert.equal(ran.status, 1, "none had completed");
    assert.equal(interrupted, true);
    assert.ok(requests.unfinished >= 8);
    assert.deepEqual([requests.completed, requests.failed], [0, 0]);
    assert.equal(requests.scheduled, requests.unfinished);
  }),
);

test("an address where nothing listens, or with several models, is told before anything is sent", () =>
  withMock(async (mock) => {
    const nameless = await bench([mock.baseUrl]);
    assert.equal(nameless.status, 2);
    assert.match(nameless.err, /several models, name one with --model: ok,/);
    assert.equal(mock.requests.length, 0);
    const { baseUrl } = mock;
    await mock.close();
    const gone = await bench([baseUrl, "--model", "ok"]);
    assert.equal(gone.status, 1);
    assert.match(gone.err, /nothing answers at http:\/\/127\.0\.0\.1:\d+\/v1\/models: ECONNREFUSED/);
  }));

const CONFIG = `
version: 1
sites:
  desk: {layer: device, jurisdiction: CH, electricityUsdPerKwh: 0.21}
backends:
  tiny: {engine: embedded, site: desk, watts: 40}
`;

test("of Baseload's own answers the receipts are read, and unknown stays unknown", async () => {
  await using server = await Baseload.start({ config: CONFIG });
  const args = ["--rate", "20", "--requests", "8", "--output-tokens", "3..6", "--slo-e2e-ms", "60000", "--json"];
  const ran = await bench([server.origin, ...args, "--prompt-tokens", "20", "--shared-prefix-tokens", "10"]);
  assert.equal(ran.status, 0, ran.err);
  const { receipts, target, outputTokens, requests } = reportOf(ran);
  assert.equal(target.model, "baseload-tiny", "the only model there is");
  assert.equal(requests.completed, 8);
  assert.ok(receipts !== null);
  assert.deepEqual([receipts.read, receipts.missing, receipts.groups.length], [8, 0, 1]);
  const [group] = receipts.groups;
  assert.ok(group !== undefined);
  assert.deepEqual([group.backend, group.site, group.layer, group.completed], ["tiny", "desk", "device", 8]);
  const { energyMilliJoules, carbonMicrograms, ratios } = group;
  assert.deepEqual([energyMilliJoules.known, energyMilliJoules.methods], [8, { default: 8 }]);
  assert.equal(energyMilliJoules.low, 0, "declared watts are a ceiling");
  assert.equal(energyMilliJoules.outputTokens, outputTokens.tokens);
  assert.ok(ratios.tokensPerJoule !== null && ratios.tokensPerJoule > 0);
  assert.equal(ratios.usefulTokensPerJoule, ratios.tokensPerJoule, "all were good");
  assert.ok(ratios.usdPerMillionTokens !== null && ratios.usdPerMillionTokens > 0);
  assert.deepEqual([carbonMicrograms.value, carbonMicrograms.unknown, ratios.grams], [null, 8, null]);
});
