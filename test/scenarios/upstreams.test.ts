import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { hashKey } from "../../src/gateway/access.ts";
import { readError, readJson, readStream } from "../gateway-suite/reading.ts";
import { CACHED_USAGE, USAGE } from "../upstream/chunks.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { assertExact, assertUnknown, chat, receiptIdOf, receiptOf, type SettledReceipt } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { readKept } from "./lib/ledger.ts";

const TENANT_KEY = "sk-tenant-4f1d2a";
const ENV_KEY = "sk-upstream-env-91c7";
const FILE_KEY = "sk-upstream-file-3be0";

const mock = await startMock();
const second = await startMock();
const folder = new Folder();
const deadUrl = `http://127.0.0.1:${await closedPort()}/v1`;
after(async () => {
  await mock.close();
  await second.close();
  folder[Symbol.dispose]();
});

/** A port on which nothing listens: the system gave it out just now, so nobody else has it. */
function closedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** What a test reads of the attempts on a receipt. */
function attemptsOf({ attempts }: SettledReceipt): readonly (readonly [string, string, number | null])[] {
  return attempts.map(({ backendId, result, status }) => [backendId, result, status]);
}

describe("several upstreams", () => {
  it("answers from another one where one is dead, silent or lying, and the receipt says how", async () => {
    await using server = await Baseload.start({
      config: `
version: 1
server: { cooldownFirstMs: 60000, cooldownMaxMs: 60000 }
backends:
  dead: { url: "${deadUrl}", models: { for-dead: ok } }
  silent: { url: ${mock.baseUrl}, models: { for-silent: silent-after-headers }, watch: { firstMs: 300 } }
  liar: { url: ${mock.baseUrl}, models: { for-liar: lies-html } }
  breaker: { url: ${mock.baseUrl}, models: { for-breaker: dies-before-content } }
  spare: { url: ${second.baseUrl}, models: { for-dead: ok, for-silent: ok, for-liar: ok, for-breaker: ok } }
`,
    });
    const rows = [
      ["dead", "upstream_unreachable", null],
      ["silent", "upstream_first_timeout", 200],
      ["liar", "upstream_bad_response", 200],
      ["breaker", "upstream_broken", 200],
    ] as const;
    for (const [backend, code, status] of rows) {
      const exchange = chat(server, `for-${backend}`, { fields: { stream: true } });
      const { dones, errors } = await readStream(exchange);
      assert.deepEqual([dones, errors.length], [1, 0], backend);
      const receipt = await receiptOf(server, await receiptIdOf(exchange));
      // Among equals the one with the fewest sends is chosen, so the failing one comes before the spare.
      assert.deepEqual(attemptsOf(receipt), [
        [backend, code, status],
        ["spare", "completed", 200],
      ]);
      assert.deepEqual([receipt.outcome, receipt.choice.reason, receipt.backendId], ["completed", "fallback", "spare"]);
      assert.ok(receipt.choice.excluded.some((each) => each.backendId === backend && each.reason === "already_tried"));
      assertExact(receipt.tokens.output, USAGE.completion_tokens, "provider_reported");
    }
  });

  it("leaves a backend alone for a while that has failed", async () => {
    await using server = await Baseload.start({
      config: `
version: 1
server: { cooldownFirstMs: 60000, cooldownMaxMs: 60000 }
backends:
  dead: { url: "${deadUrl}", models: [ok] }
  good: { url: ${mock.baseUrl}, models: [ok] }
`,
    });
    const seen: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const exchange = chat(server, "ok");
      assert.equal((await readJson(exchange)).status, 200);
      const receipt = await receiptOf(server, await receiptIdOf(exchange));
      seen.push(
        attemptsOf(receipt)
          .map(([backendId]) => backendId)
          .join(" "),
      );
      if (index > 0) assert.deepEqual(receipt.choice.excluded, [{ backendId: "dead", reason: "cooling_down" }]);
    }
    assert.deepEqual(seen, ["dead good", "good", "good", "good", "good", "good"]);
  });

  it("says in one clear error that all are dead", async () => {
    await using server = await Baseload.start({
      config: `
version: 1
backends:
  one: { url: "${deadUrl}", models: "*" }
  two: { url: "${deadUrl}", models: "*" }
`,
    });
    for (const stream of [false, true]) {
      const exchange = chat(server, "ok", { fields: { stream } });
      const error = await readError(exchange, [502, 502]);
      assert.equal(error.code, "upstream_unreachable");
      assert.match(error.message, /could not be reached.*Check that the backend runs/);
      const receipt = await receiptOf(server, await receiptIdOf(exchange));
      assert.deepEqual(
        attemptsOf(receipt).map(([, result]) => result),
        ["upstream_unreachable", "upstream_unreachable"],
      );
      assert.deepEqual([receipt.outcome, receipt.code], ["failed", "upstream_unreachable"]);
    }
  });
});

describe("one upstream", () => {
  it("has its 429 and retry-after handed on where it is the only one", async () => {
    await using server = await Baseload.start({
      config: `{ version: 1, backends: { only: { url: "${mock.baseUrl}", models: "*" } } }`,
    });
    const exchange = chat(server, "rate-limited");
    const { headers, code } = await readError(exchange, [429, 429]);
    assert.deepEqual([headers["retry-after"], code], ["7", "rate_limit_exceeded"]);
    const receipt = await receiptOf(server, await receiptIdOf(exchange));
    assert.deepEqual(attemptsOf(receipt), [["only", "upstream_error", 429]]);
  });

  it("gets its key, which is shown nowhere", async () => {
    const journal = join(folder.path, "keys.jsonl");
    const dataDir = join(folder.path, "keys");
    await using server = await Baseload.start({
      config: `
version: 1
backends:
  by-env: { url: ${mock.baseUrl}, models: { by-env: ok, refused: error-401 }, key: { env: UPSTREAM_KEY } }
  by-file: { url: ${second.baseUrl}, models: { by-file: ok, dying: dies-mid-stream }, key: { file: "${folder.write("key.txt", `${FILE_KEY}\n`)}" } }
tenants:
  search: { keys: [{ name: main, sha256: ${hashKey(TENANT_KEY)} }] }
`,
      env: { UPSTREAM_KEY: ENV_KEY },
      dataDir,
      args: ["--journal", journal],
    });
    const shown: string[] = [];
    for (const model of ["by-env", "by-file", "refused", "dying"]) {
      const exchange = chat(server, model, {
        headers: { authorization: `Bearer ${TENANT_KEY}` },
        fields: { stream: model === "dying" },
      });
      shown.push(JSON.stringify((await exchange.head()).headers), await exchange.text());
      shown.push(JSON.stringify(await receiptOf(server, await receiptIdOf(exchange), TENANT_KEY)));
    }
    const wrong = chat(server, "by-env", { headers: { authorization: "Bearer sk-wrong-77aa" } });
    await readError(wrong, [401, 401]);
    assert.equal(mock.requests.at(-1)?.headers.authorization, `Bearer ${ENV_KEY}`);
    assert.equal(second.requests.at(-1)?.headers.authorization, `Bearer ${FILE_KEY}`);
    const { code } = await server.end();
    assert.equal(code, 0, server.output);
    shown.push(server.output, readFileSync(journal, "utf8"), readFileSync(join(dataDir, "baseload.sqlite"), "latin1"));
    for (const text of shown)
      for (const key of [TENANT_KEY, ENV_KEY, FILE_KEY, "sk-wrong-77aa"])
        assert.ok(!text.includes(key), `a key is shown in: ${text.slice(0, 500)}`);
  });
});

describe("metering of an upstream", () => {
  it("charges by the price list, counts where no usage came, and keeps explicit zeros", async () => {
    const dataDir = join(folder.path, "metering");
    await using server = await Baseload.start({
      config: `
version: 1
backends:
  priced:
    url: ${mock.baseUrl}
    models: "*"
    price:
      inputUsdPerMillion: 0.15
      cachedInputUsdPerMillion: 0.075
      outputUsdPerMillion: 0.60
      reasoningUsdPerMillion: 1.25
`,
      dataDir,
    });
    const receipt = async (model: string, stream: boolean): Promise<SettledReceipt> => {
      const exchange = chat(server, model, { fields: { stream } });
      await exchange.text();
      return receiptOf(server, await receiptIdOf(exchange));
    };
    for (const stream of [false, true]) {
      assertCachedBill(await receipt("cached", stream));
      assertCounted(await receipt("ok-no-usage", stream));
      const zero = await receipt("ok-zero-usage", stream);
      assertExact(zero.tokens.input, 0, "provider_reported");
      assertExact(zero.tokens.output, 0, "provider_reported");
      assertExact(zero.costNanoUsd, 0, "price_list");
    }
    const refused = await receipt("error-500", false);
    assertUnknown(refused.tokens.output);
    assertUnknown(refused.costNanoUsd);
    await server.end();
    const cost = readKept(dataDir).entries.filter(({ unit }) => unit === "nanousd");
    assert.ok(cost.length >= 2 && cost.every(({ debit }) => debit === "tenant/default/cost"));
  });
});

/**
 * By hand: 2048 − 1920 = 128 input at $0.15, 1920 cached at $0.075, 301 − 256 = 45 output at $0.60, 256 reasoning at $1.25 a
 * million: 19,200 + 144,000 + 27,000 + 320,000 nano-dollars.
 */
function assertCachedBill(receipt: SettledReceipt): void {
  assertExact(receipt.tokens.cachedInput, 1920, "provider_reported");
  assertExact(
    receipt.tokens.reasoning,
    CACHED_USAGE.completion_tokens_details?.reasoning_tokens ?? 0,
    "provider_reported",
  );
  assert.deepEqual(
    receipt.costLines.map(({ item, quantity, amountNanoUsd }) => [item, quantity, amountNanoUsd]),
    [
      ["input", 128, 19_200],
      ["cached_input", 1920, 144_000],
      ["output", 45, 27_000],
      ["reasoning", 256, 320_000],
    ],
  );
  assertExact(receipt.costNanoUsd, 510_200, "price_list");
}

/** Without the upstream's own figures they are counted, marked as such, and bounded. */
function assertCounted({ tokens }: SettledReceipt): void {
  for (const { method, value, low, high } of [tokens.input, tokens.output]) {
    assert.equal(method, "counted_estimate");
    assert.ok(
      value !== null && low !== null && high !== null && low < value && value < high,
      `${low} ${value} ${high}`,
    );
  }
}
