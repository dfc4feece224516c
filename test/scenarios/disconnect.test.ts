import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startMock } from "../upstream/mock-upstream.ts";
import { until } from "../gateway-suite/check.ts";
import { chat, receiptIdOf, receiptOf, type SettledReceipt } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";

const mock = await startMock();
after(() => mock.close());

const server = await Baseload.start({
  config: `
version: 1
backends:
  cancels: { url: ${mock.baseUrl}, models: { cancelled: endless } }
  drains: { url: ${mock.baseUrl}, models: { drained: slow-chunks-20, bounded: endless }, onDisconnect: drain, drainMs: 1500 }
`,
});
after(() => server[Symbol.asyncDispose]());

/** Asks for a stream, leaves after its first content, and returns the receipt. */
async function leave(model: string): Promise<SettledReceipt> {
  const exchange = chat(server, model, { fields: { stream: true }, text: `leaving ${model}` });
  const id = await receiptIdOf(exchange);
  exchange.destroy();
  return receiptOf(server, id);
}

const upstreamOf = (model: string) => mock.requests.find(({ bodyText }) => bodyText.includes(`leaving ${model}"`));

test("by default a client that leaves ends the attempt upstream, and the receipt estimates what was made", async () => {
  const receipt = await leave("cancelled");
  assert.deepEqual([receipt.outcome, receipt.code], ["cancelled", "client_gone"]);
  assert.equal(receipt.tokens.output.method, "counted_estimate");
  await until(async () => upstreamOf("cancelled")?.closedEarly, {
    withinMs: 5000,
    orElse: "the upstream was not told",
  });
});

test("with onDisconnect: drain the attempt runs to its end, and the receipt has the upstream's own usage", async () => {
  const receipt = await leave("drained");
  assert.deepEqual([receipt.outcome, receipt.code], ["cancelled", "client_gone"]);
  assert.deepEqual([receipt.tokens.output.method, receipt.finishReason], ["provider_reported", "stop"]);
  assert.equal(receipt.attempts[0]?.result, "completed");
  assert.equal(upstreamOf("drained")?.closedEarly, false);
});

test("a drain is bounded: what does not end in time is ended, and estimated", async () => {
  const receipt = await leave("bounded");
  assert.equal(receipt.attempts[0]?.result, "upstream_total_timeout");
  assert.equal(receipt.tokens.output.method, "counted_estimate");
  await until(async () => upstreamOf("bounded")?.closedEarly, { withinMs: 5000, orElse: "the upstream was not told" });
});
