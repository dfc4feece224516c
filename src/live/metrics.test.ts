import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownObservation } from "../base/engine-observation.ts";
import { present } from "../base/assert.ts";
import type { Receipt } from "../base/receipt.ts";
import { Metrics } from "./metrics.ts";
import { Distributions, Series } from "./prometheus.ts";
import { RequestLog } from "./request-log.ts";
import { receiptOf } from "../../test/fakes/receipt.ts";

const IDLE = { backends: [], queued: 0, unsettled: 0, runsLimited: {} };

/** The value of one sample, found by the beginning of its line. */
function sample(text: string, start: string): number {
  const line = present(
    text.split("\n").find((candidate) => candidate.startsWith(`${start} `)),
    `${start} is exposed`,
  );
  return Number(line.slice(start.length));
}

test("a receipt is counted in base units, by backend and site, and unknown figures are not counted as zero", () => {
  const metrics = new Metrics();
  const receipt = receiptOf("018f0000-0000-7000-8000-000000000001");
  metrics.record(receipt);
  metrics.record(receipt);
  const text = metrics.text({ ...IDLE, queued: 3 });
  const where = `backend="${receipt.backendId ?? "none"}",site="${receipt.site ?? "none"}"`;
  assert.equal(sample(text, `baseload_requests_total{${where},outcome="completed",code="none"}`), 2);
  const { output } = receipt.tokens;
  const tokens = `baseload_tokens_total{${where},type="output",method="${output.method}"}`;
  assert.equal(sample(text, tokens), 2 * present(output.value, "known"));
  assert.equal(sample(text, `baseload_request_duration_seconds_count{${where}}`), 2);
  assert.equal(sample(text, "baseload_queued_requests"), 3);
  const unknown: Receipt = { ...receipt, energyMilliJoules: { ...receipt.energyMilliJoules, value: null } };
  const other = new Metrics();
  other.record(unknown);
  assert.doesNotMatch(other.text(IDLE), /^baseload_energy_joules_total\{/m);
});

test("runs that met a limit are counted by its kind", () => {
  const text = new Metrics().text({ ...IDLE, runsLimited: { steps: 2, same_calls: 1 } });
  assert.equal(sample(text, 'baseload_runs_limited_total{limit="steps"}'), 2);
  assert.equal(sample(text, 'baseload_runs_limited_total{limit="same_calls"}'), 1);
});

test("what engines say is a gauge with its age; what they do not say has no sample, and a backend that is gone has none", () => {
  const metrics = new Metrics();
  const observation = { ...unknownObservation("vllm"), running: 3, kvUsageMillionths: 250_000 };
  const backend = {
    backendId: "a",
    site: "here",
    layer: null,
    state: "up",
    cordoned: false,
    inFlight: 0,
    capacity: null,
  } as const;
  const text = metrics.text({
    ...IDLE,
    backends: [{ ...backend, engine: { observation, ageUs: 1_500_000, stale: true } }],
  });
  const of = (name: string): number => sample(text, `baseload_backend_engine_${name}{backend="a"}`);
  assert.deepEqual([of("running_requests"), of("kv_usage_ratio")], [3, 0.25]);
  assert.deepEqual([of("observation_age_seconds"), of("observation_stale")], [1.5, 1]);
  assert.doesNotMatch(text, /^baseload_backend_engine_waiting_requests\{/m);
  assert.doesNotMatch(metrics.text(IDLE), /^baseload_backend_engine_\w+\{/m);
});

test("labels never hold a tenant, a key, a user or a model name, which callers could make up", () => {
  const metrics = new Metrics();
  const receipt = receiptOf("018f0000-0000-7000-8000-000000000002");
  const principal = { tenant: "tenant-x", project: "project-x", user: "user-x", key: "key-x" };
  metrics.record({ ...receipt, principal, model: "model-x", upstreamModel: "upstream-x" });
  assert.doesNotMatch(metrics.text(IDLE), /(tenant|project|user|key|model|upstream)-x/);
});

test("a histogram's buckets add up and end in +Inf", () => {
  const histogram = new Distributions("seconds", "help", [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe({ a: "b" }, value);
  assert.equal(
    histogram.text(),
    [
      "# HELP seconds help",
      "# TYPE seconds histogram",
      'seconds_bucket{a="b",le="0.1"} 2',
      'seconds_bucket{a="b",le="1"} 3',
      'seconds_bucket{a="b",le="+Inf"} 4',
      'seconds_sum{a="b"} 7.65',
      'seconds_count{a="b"} 4',
      "",
    ].join("\n"),
  );
});

test("label values are escaped as the format asks", () => {
  const series = new Series("counter", "c", "help");
  series.add({ a: 'x"y\\z\n' });
  assert.match(series.text(), /c\{a="x\\"y\\\\z\\n"\} 1/);
});

test("the request log writes one line a request, batched, and flushes at its end", () => {
  const written: string[] = [];
  const log = new RequestLog((text) => written.push(text));
  const receipt = receiptOf("018f0000-0000-7000-8000-000000000003");
  log.record(receipt);
  log.record(receipt);
  assert.deepEqual(written, []);
  log.close();
  assert.equal(written.length, 1);
  const lines = written.join("").trimEnd().split("\n");
  assert.equal(lines.length, 2);
  const line = JSON.parse(present(lines[0], "a line")) as Record<string, unknown>;
  assert.equal(line["receiptId"], receipt.receiptId);
  assert.equal(line["outputTokens"], receipt.tokens.output.value);
});

test("a line of the request log names the client's address where it was told, for that request alone", () => {
  const written: string[] = [];
  const log = new RequestLog((text) => written.push(text));
  const receipt = receiptOf("018f0000-0000-7000-8000-000000000004");
  log.cameFrom(receipt.receiptId, "2001:db8::7");
  log.record(receipt);
  log.record(receipt);
  log.close();
  const lines = written.join("").trimEnd().split("\n");
  const addresses = lines.map((line) => (JSON.parse(line) as { clientAddress?: string }).clientAddress);
  assert.deepEqual(addresses, ["2001:db8::7", undefined]);
});

test("what a limit ended is counted by the limit", () => {
  const metrics = new Metrics();
  for (const limit of ["client_idle", "max_connections", "client_idle"]) metrics.turnedAway(limit);
  assert.equal(sample(metrics.text(IDLE), 'baseload_turned_away_total{limit="client_idle"}'), 2);
  assert.equal(sample(metrics.text(IDLE), 'baseload_turned_away_total{limit="max_connections"}'), 1);
});
