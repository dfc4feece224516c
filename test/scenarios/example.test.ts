import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { readJson } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload } from "./lib/baseload.ts";

const rack = await startMock();
const cloud = await startMock();
after(async () => {
  await rack.close();
  await cloud.close();
});

const EXAMPLE = readFileSync(join(import.meta.dirname, "..", "..", "examples", "two-upstreams.yaml"), "utf8");

test("the example of two upstreams with prices serves as it stands, but for the addresses", async () => {
  // The mock answers by model name; the example's names are mapped to ones that it knows.
  const config = EXAMPLE.replace("http://127.0.0.1:8000/v1", rack.baseUrl)
    .replace("https://api.example.com/v1", cloud.baseUrl)
    .replace(/llama-3\.3-70b: \S+/, "llama-3.3-70b: ok");
  await using server = await Baseload.start({ config, env: { CLOUD_API_KEY: "sk-example-1" } });
  const exchange = chat(server, "llama-3.3-70b");
  assert.equal((await readJson(exchange)).status, 200);
  const receipt = await receiptOf(server, await receiptIdOf(exchange));
  assert.deepEqual([receipt.backendId, receipt.site, receipt.layer], ["cloud", "provider", "cloud"]);
  assert.equal(receipt.class, "interactive");
  assert.equal(cloud.requests[0]?.headers["authorization"], "Bearer sk-example-1");
  // $0.15 a million tokens in and $0.60 out, in nano-dollars a token: 150 and 600.
  const { input, output } = receipt.tokens;
  assert.equal(receipt.costNanoUsd.value, (input.value ?? 0) * 150 + (output.value ?? 0) * 600);
});
