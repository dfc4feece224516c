import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../gateway-suite/check.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf, type SettledReceipt } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";

const mock = await startMock();
const folder = new Folder();
after(async () => {
  await mock.close();
  folder[Symbol.dispose]();
});

/** The sum of a metric's samples whose labels include `label`. */
function total(text: string, name: string, label: string): number {
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

test("metrics and the request log agree with the receipts, and hold neither bodies nor keys", async () => {
  const log = join(folder.path, "requests.jsonl");
  await using server = await Baseload.start({
    config: `
version: 1
sites: { here: { layer: enterprise, electricityUsdPerKwh: 0.2, gridGramsPerKwh: 400 } }
backends:
  rack: { url: ${mock.baseUrl}, key: { env: UPSTREAM_KEY }, models: [ok, error-500], watts: 700, price: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } }
telemetry: { requestLog: ${JSON.stringify(log)}, logClientAddress: true }
`,
    env: { UPSTREAM_KEY: "sk-upstream-8d1f" },
  });
  const receipts: SettledReceipt[] = [];
  for (const model of ["ok", "ok", "error-500"]) {
    receipts.push(await receiptOf(server, await receiptIdOf(chat(server, model))));
  }
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  assert.equal(total(text, "baseload_requests_total", 'outcome="completed"'), 2);
  assert.equal(total(text, "baseload_requests_total", 'code="upstream_error"'), 1);
  const tokens = receipts.reduce((sum, { tokens: { output } }) => sum + (output.value ?? 0), 0);
  assert.equal(total(text, "baseload_tokens_total", 'type="output"'), tokens);
  const joules = receipts.reduce((sum, { energyMilliJoules }) => sum + (energyMilliJoules.value ?? 0), 0) / 1000;
  assert.ok(Math.abs(total(text, "baseload_energy_joules_total", 'backend="rack"') - joules) < 1e-6);
  const logged = await until(
    async () => {
      const lines = readFileSync(log, "utf8");
      return lines.split("\n").length === 4 ? lines : undefined;
    },
    { withinMs: 5000, orElse: "the request log has not three lines" },
  );
  const lines = logged
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { receiptId: string; clientAddress?: string });
  assert.deepEqual(
    lines.map(({ receiptId, clientAddress }) => [receiptId, clientAddress]),
    receipts.map(({ receiptId }) => [receiptId, "127.0.0.1"]),
  );
  for (const secret of ["sk-upstream", "messages"]) assert.ok(!(logged + text).includes(secret), secret);
});
