import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../gateway-suite/check.ts";
import { readJson } from "../gateway-suite/reading.ts";
import { startMock } from "../upstream/mock-upstream.ts";
import { chat, lookAtReceipt, receiptIdOf, receiptOf } from "./lib/ask.ts";
import { Baseload, Folder } from "./lib/baseload.ts";
import { runBaseload } from "./lib/children.ts";
import { type Kept, readKept } from "./lib/ledger.ts";
import { load } from "./lib/load.ts";

const WITHIN_MS = 30_000;
const ENOUGH = 150;

const mock = await startMock();
const folder = new Folder();
after(async () => {
  await mock.close();
  folder[Symbol.dispose]();
});

function configOf(more = ""): string {
  return `
version: 1
sites: { here: { layer: device, electricityUsdPerKwh: 0.21, gridGramsPerKwh: 344, pue: 1.2 } }
backends:
  mock:
    url: ${mock.baseUrl}
    models: "*"
    watts: 2400
    price: { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 }
${more}`;
}

/** Leaves are numbered without gaps from the first on, each is posted once, and no unit was made or lost. */
function assertSound({ leaves, posted, entries }: Kept): void {
  const expected = leaves.map((_leaf, index) => index);
  assert.deepEqual(
    leaves.map(({ leafIndex }) => leafIndex),
    expected,
    "leaf indices",
  );
  assert.equal(new Set(leaves.map(({ receipt }) => receipt.receiptId)).size, leaves.length, "receipts kept twice");
  assert.deepEqual(posted, expected, "leaves that were posted");
  const balances = new Map<string, bigint>();
  for (const { debit, credit, unit, amount } of entries) {
    assert.ok(amount > 0);
    for (const [account, change] of [
      [`${unit} ${debit}`, BigInt(amount)],
      [`${unit} ${credit}`, -BigInt(amount)],
    ] as const)
      balances.set(account, (balances.get(account) ?? 0n) + change);
  }
  for (const unit of ["token", "nanousd", "millijoule", "microgram"]) {
    const inUnit = [...balances].filter(([account]) => account.startsWith(`${unit} `));
    assert.ok(inUnit.length > 0, `nothing was posted in ${unit}`);
    assert.equal(
      inUnit.reduce((sum, [, balance]) => sum + balance, 0n),
      0n,
      unit,
    );
  }
  assertTokens({ leaves, posted, entries });
}

/** The ledger says what the receipts say. */
function assertTokens({ leaves, entries }: Kept): void {
  const output = leaves.reduce((sum, { receipt }) => sum + (receipt.tokens.output.value ?? 0), 0);
  const booked = entries.filter(({ debit }) => debit === "tenant/default/tokens/output");
  assert.equal(
    booked.reduce((sum, { amount }) => sum + amount, 0),
    output,
  );
}

describe("kill -9 under load", () => {
  const dataDir = join(folder.path, "killed");

  it("loses no receipt that was called settled", async () => {
    await using first = await Baseload.start({ config: configOf(), dataDir });
    const loading = load(first, {
      models: ["ok", "slow-chunks-20", "ok-no-usage", "cached"],
      clients: 64,
      leaveEvery: 7,
    });
    await until(
      async () => {
        await sleep(50);
        return mock.requests.length > ENOUGH * 2 ? true : undefined;
      },
      { withinMs: WITHIN_MS, orElse: "the load did not get going" },
    );
    await first.end("SIGKILL");
    const { settled } = await loading;
    assert.ok(settled.size >= ENOUGH / 4, `only ${settled.size} receipts were settled before the kill`);
    await using second = await Baseload.start({ config: configOf(), dataDir });
    for (const [id, receipt] of settled) {
      const { status, receipt: kept } = await lookAtReceipt(second, id);
      assert.equal(status, 200, `receipt ${id} is lost`);
      assert.deepEqual(kept, receipt);
    }
    const exchange = chat(second, "ok");
    await readJson(exchange);
    await receiptOf(second, await receiptIdOf(exchange));
    await second.end();
    const kept = readKept(dataDir);
    assert.ok(kept.leaves.length > settled.size);
    assertSound(kept);
  });

  it("lets no second server use the same data", async () => {
    await using server = await Baseload.start({ config: configOf(), dataDir });
    const config = folder.write("second.yaml", configOf());
    const { code, stderr } = await runBaseload(["serve", config, "--port", "0", "--data-dir", dataDir]);
    assert.equal(code, 1);
    assert.match(stderr, /another Baseload uses .*killed; stop it, or give this one its own --data-dir/);
    assert.equal((await readJson(chat(server, "ok"))).status, 200);
  });
});

/** Why a small disk cannot be had here, or false. */
function noSmallDisk(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting a small disk needs root on Linux";
  const path = join(folder.path, "try");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path], { stdio: "ignore" });
    execFileSync("umount", [path]);
    return false;
  } catch {
    return "a tmpfs cannot be mounted here";
  }
}

describe("a full disk", { skip: noSmallDisk() }, () => {
  it("stops the service in good order, and nothing is lost once there is room", async (context) => {
    const dataDir = join(folder.path, "small");
    mkdirSync(dataDir);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", dataDir]);
    context.after(() => execFileSync("umount", ["--lazy", dataDir]));
    const filler = join(dataDir, "filler");
    await using server = await Baseload.start({ config: configOf("storage: { maxUnsettled: 40 }\n"), dataDir });
    const ready = async (): Promise<{ readonly status: number; readonly text: string }> => {
      const response = await fetch(`${server.origin}/readyz`);
      return { status: response.status, text: await response.text() };
    };
    assert.equal((await ready()).status, 200);
    fill(filler);
    const { named, refused } = await askUntilRefused(server);
    assert.ok(named.length >= 40, `refused after ${named.length} requests`);
    assert.equal(refused, "storage_unavailable");
    const full = await ready();
    assert.equal(full.status, 503);
    assert.match(full.text, /receipts cannot be stored: .*full/);
    assert.equal((await fetch(`${server.origin}/healthz`)).status, 200);
    rmSync(filler);
    await until(async () => ((await ready()).status === 200 ? true : undefined), {
      withinMs: WITHIN_MS,
      orElse: "the server did not find the room",
    });
    for (const id of named) assert.equal((await receiptOf(server, id)).receiptId, id);
    assert.equal((await readJson(chat(server, "ok"))).status, 200);
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    assertSound(readKept(dataDir));
  });
});

/** Fills what is left of the disk. */
function fill(path: string): void {
  for (let bytes = 4096 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      writeFileSync(path, Buffer.alloc(bytes), { flag: "a" });
    } catch {
      // A smaller piece may still fit.
    }
  }
}

/** Asks until the first refusal; the ids of all receipts named by answers, and the code of the refusal. */
async function askUntilRefused(server: Baseload): Promise<{ named: readonly string[]; refused: string | null }> {
  const named: string[] = [];
  for (let count = 0; count < 2000; count += 1) {
    const exchange = chat(server, "ok");
    const { status, body } = await readJson(exchange);
    if (status !== 200) return { named, refused: (body["error"] as { code: string }).code };
    named.push(await receiptIdOf(exchange));
  }
  return { named, refused: null };
}
