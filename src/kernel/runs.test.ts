import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addToRun, newRunRecord } from "../base/run-record.ts";
import type { Job } from "../base/job.ts";
import { NO_RUN_LIMITS, type RunLimits } from "../base/run.ts";
import { backendOf, configOf, Driver, jobOf, reported } from "../sim/driver.ts";
import type { Answer, Command } from "./command.ts";
import type { BackendConfig, KernelConfig, RunRules } from "./config.ts";
import { Kernel } from "./kernel.ts";

const PRICE = {
  inputNanoUsdPerMillion: 1_000_000_000,
  cachedInputNanoUsdPerMillion: null,
  cacheWriteNanoUsdPerMillion: null,
  outputNanoUsdPerMillion: 2_000_000_000,
  reasoningNanoUsdPerMillion: null,
};

/** A kernel whose one backend has a price and watts, with these limits and rules of runs. */
function begin(
  limits: Partial<RunLimits> = {},
  given: {
    readonly backend?: Partial<BackendConfig>;
    readonly runs?: Partial<KernelConfig["runs"]>;
    unknown?: "allow";
  } = {},
): Driver {
  const backend = backendOf("a", { maxConcurrent: null, price: PRICE, watts: 100, ...given.backend });
  const config = configOf([backend]);
  const defaults: RunRules = {
    limits: { ...NO_RUN_LIMITS, ...limits },
    maxOutputTokens: 100,
    unknown: given.unknown ?? "refuse",
  };
  return new Driver({ ...config, runs: { ...config.runs, defaults, ...given.runs } });
}

interface Asked extends Partial<Job> {
  readonly hash?: string | null;
  readonly limits?: Partial<RunLimits>;
  readonly runId?: string;
  readonly choices?: number;
}

/** A call of run `r`, whose text takes up to 20 tokens. The store has nothing of it unless the test said so before. */
function call(driver: Driver, requestId: string, asked: Asked = {}): readonly Command[] {
  const { hash = requestId, limits = {}, runId = "r", choices = 1, ...job } = asked;
  const tenant = job.principal?.tenant ?? "tenant";
  driver.step({ kind: "recalled", tenant, runId, record: null });
  const run = { runId, limits: { ...NO_RUN_LIMITS, ...limits }, choices, callHash: hash };
  return driver.arrive(requestId, { run, maxOutputTokens: 30, ...job });
}

function refusalOf(commands: readonly Command[]): string | null {
  const answer = commands.find((command): command is Answer => command.kind === "answer");
  if (answer === undefined || answer.result.ok) return null;
  return `${answer.result.code} ${answer.result.detail}`;
}

function stepOf(commands: readonly Command[]): number | null {
  return commands.find((command) => command.kind === "join")?.step ?? null;
}

/** A call that is answered: ten tokens in and this many out. */
function answered(driver: Driver, requestId: string, asked: Asked & { readonly out?: number } = {}): number | null {
  const { out = 20, ...rest } = asked;
  const step = stepOf(call(driver, requestId, rest));
  driver.finish(requestId, reported(10, out));
  return step;
}

const TENANT_2 = { tenant: "tenant-2", project: null, user: null, key: null };

describe("steps", () => {
  test("are numbered within a tenant's run, and stand on receipts with the limits in force", () => {
    const driver = begin({ maxSteps: 9 });
    assert.deepEqual(
      [answered(driver, "1"), answered(driver, "2"), answered(driver, "3", { runId: "other" })],
      [1, 2, 1],
    );
    assert.equal(answered(driver, "4", { principal: TENANT_2 }), 1);
    const { runId, step, runLimits } = driver.receipts.get("2") ?? assert.fail();
    assert.deepEqual([runId, step, runLimits], ["r", 2, { ...NO_RUN_LIMITS, maxSteps: 9 }]);
    driver.arrive("5");
    driver.finish("5");
    const outside = driver.receipts.get("5");
    assert.deepEqual([outside?.runId, outside?.step, outside?.runLimits], [null, null, null]);
  });

  test("sum up what their receipts say, with what is unknown counted as unknown", () => {
    const driver = begin();
    driver.nowUs = 0;
    call(driver, "1");
    driver.nowUs = 2_000_000;
    driver.finish("1", reported(10, 20, { cachedInputTokens: 4 }));
    call(driver, "2");
    driver.fail("2", { code: "upstream_error" });
    const view = driver.kernel.run("tenant", "r") ?? assert.fail();
    const { totals, steps } = view.record;
    assert.deepEqual([steps, view.inFlight, view.limitedBy], [2, 0, null]);
    assert.deepEqual(totals.tokens, { value: 30, unknownSteps: 1, largest: 30 });
    assert.deepEqual(totals.cachedInputTokens, { value: 4, unknownSteps: 1, largest: 4 });
    assert.deepEqual(totals.costNanoUsd, { value: 50_000, unknownSteps: 1, largest: 50_000 });
    assert.deepEqual(totals.energyMilliJoules, { value: 200_000, unknownSteps: 0, largest: 200_000 });
    const record = newRunRecord();
    for (const receipt of driver.receipts.values()) addToRun(record, receipt);
    assert.deepEqual(record, view.record);
  });

  test("are refused beyond their number, which only a call that joined takes up", () => {
    const driver = begin({ maxSteps: 2 });
    answered(driver, "1");
    call(driver, "unknown-class", { class: "none" });
    assert.equal(answered(driver, "2"), 2);
    const commands = call(driver, "3");
    assert.match(refusalOf(commands) ?? "", /^run_limit_exceeded steps: 2 used, this call may take 1, 2 allowed$/);
    assert.ok(!commands.some(({ kind }) => kind === "send" || kind === "join"));
    assert.deepEqual([driver.receipts.get("3")?.step, driver.receipts.get("3")?.code], [null, "run_limit_exceeded"]);
    assert.equal(driver.kernel.run("tenant", "r")?.limitedBy, "steps");
    call(driver, "4");
    assert.deepEqual(driver.kernel.runsLimited(), { steps: 1 });
  });
});

describe("limits", () => {
  test("on tokens hold what calls in flight may use, and give back what they did not", () => {
    // Each may take 20 tokens of prompt and 30 of answer.
    const driver = begin({ maxTokens: 100 });
    assert.equal(refusalOf(call(driver, "1")), null);
    assert.equal(refusalOf(call(driver, "2")), null);
    const third =
      /^run_limit_exceeded tokens: 0 used, 100 reserved for calls in flight, this call may take 50, 100 allowed$/;
    assert.match(refusalOf(call(driver, "3")) ?? "", third);
    driver.finish("1", reported(10, 5));
    driver.finish("2", reported(10, 25));
    assert.equal(refusalOf(call(driver, "4")), null);
    assert.match(refusalOf(call(driver, "5")) ?? "", /tokens: 50 used, 50 reserved/);
  });

  test("on tokens take the configured number where a call gives none, and as often as it asks for answers", () => {
    const driver = begin({ maxTokens: 119 });
    assert.match(refusalOf(call(driver, "1", { maxOutputTokens: null })) ?? "", /may take 120, 119 allowed/);
    assert.match(refusalOf(call(driver, "2", { choices: 4 })) ?? "", /may take 140, 119 allowed/);
    assert.equal(refusalOf(call(driver, "3", { choices: 3, maxOutputTokens: 33 })), null);
  });

  test("on dollars hold the dearest price that a call may be served at", () => {
    const limit = { maxCostNanoUsd: 160_003 };
    const driver = begin(limit);
    // 20 × $1 and 30 × $2 a million are 80,000 nano-dollars, and 2 more for rounding.
    assert.equal(refusalOf(call(driver, "1")), null);
    assert.match(
      refusalOf(call(driver, "2")) ?? "",
      /usd: 0 used, 0.000080002 reserved for calls in flight, this call may take 0.000080002, 0.000160003 allowed/,
    );
    driver.finish("1", reported(10, 20));
    assert.equal(refusalOf(call(driver, "3")), null);
    assert.equal(driver.kernel.run("tenant", "r")?.limitedBy, "usd");
  });

  test("on joules take a call to be as the largest before it", () => {
    const driver = begin({ maxEnergyMilliJoules: 250_000 });
    call(driver, "1");
    driver.nowUs = 1_000_000;
    driver.finish("1");
    call(driver, "2");
    assert.match(refusalOf(call(driver, "3")) ?? "", /joules: 100 used, 100 reserved .* may take 100, 250 allowed/);
  });

  test("on wall time count from the first arrival", () => {
    const driver = begin({ maxWallMs: 1_000 });
    const at = (requestId: string, wallMs: number): readonly Command[] => {
      driver.step({ kind: "recalled", tenant: "tenant", runId: "r", record: null });
      const run = { runId: "r", limits: NO_RUN_LIMITS, choices: 1, callHash: requestId };
      const job = { ...jobOf(requestId), run };
      return driver.step({ kind: "arrived", wallMs, job });
    };
    assert.equal(refusalOf(at("1", 5_000)), null);
    assert.equal(refusalOf(at("2", 5_999)), null);
    assert.match(refusalOf(at("3", 6_000)) ?? "", /^run_limit_exceeded seconds: 1 used, 1 allowed$/);
    // A clock that was set back takes nothing.
    assert.equal(refusalOf(at("4", 1_000)), null);
  });

  test("are tightened by a call and never loosened, for all that come after", () => {
    const driver = begin({ maxSteps: 5 });
    answered(driver, "1", { limits: { maxSteps: 2 } });
    answered(driver, "2", { limits: { maxSteps: 100 } });
    assert.match(refusalOf(call(driver, "3", { limits: { maxSteps: 100 } })) ?? "", /2 allowed/);
  });

  test("are a tenant's own where it has some", () => {
    const own = { limits: { ...NO_RUN_LIMITS, maxSteps: 1 }, maxOutputTokens: 1, unknown: "refuse" as const };
    const driver = begin({}, { runs: { tenants: { "tenant-2": own } } });
    for (const id of ["1", "2"]) assert.equal(refusalOf(call(driver, id)), null);
    assert.equal(refusalOf(call(driver, "3", { principal: TENANT_2 })), null);
    assert.match(refusalOf(call(driver, "4", { principal: TENANT_2 })) ?? "", /steps/);
  });

  test("on what cannot be told are refused by name, unless that is allowed", () => {
    const unpriced = { backend: { price: null, watts: null } };
    const usd = { maxCostNanoUsd: 1_000_000 };
    assert.match(refusalOf(call(begin(usd, unpriced), "1")) ?? "", /^run_limit_unknown usd of backend a$/);
    const joules = { maxEnergyMilliJoules: 1_000_000 };
    assert.match(refusalOf(call(begin(joules, unpriced), "1")) ?? "", /^run_limit_unknown joules of backend a$/);
    assert.equal(refusalOf(call(begin({ maxTokens: 1_000 }, unpriced), "1")), null);
    const allowing = begin(usd, { ...unpriced, unknown: "allow" });
    assert.equal(answered(allowing, "1"), 1);
    assert.equal(allowing.kernel.run("tenant", "r")?.record.totals.costNanoUsd.unknownSteps, 1);
  });

  test("hold a step whose tokens are unknown as the largest known one", () => {
    const driver = begin({ maxTokens: 120 });
    answered(driver, "1");
    call(driver, "2");
    driver.fail("2", { code: "upstream_error" });
    assert.equal(answered(driver, "3", { out: 0 }), 3);
    assert.match(refusalOf(call(driver, "4", { maxOutputTokens: 31 })) ?? "", /tokens: 70 used, this call may take 51/);
  });
});

describe("the loop guard", () => {
  test("refuses a call that was answered often enough, and says which step it repeats", () => {
    const driver = begin({ maxSameCalls: 2 });
    answered(driver, "1", { hash: "other" });
    answered(driver, "2", { hash: "same" });
    answered(driver, "3", { hash: "same" });
    const detail = "it repeats step 2 and was answered 2 times, 2 are allowed";
    assert.equal(refusalOf(call(driver, "4", { hash: "same" })), `run_loop_detected ${detail}`);
    assert.equal(answered(driver, "5", { hash: "other" }), 4);
    assert.equal(driver.kernel.run("tenant", "r")?.limitedBy, "same_calls");
    assert.equal(refusalOf(call(driver, "6", { hash: "same", runId: "r2" })), null);
  });

  test("counts answered calls alone: what failed, and what its client left, may be tried again", () => {
    const driver = begin({ maxSameCalls: 1 });
    for (const id of ["1", "2"]) {
      call(driver, id, { hash: "same" });
      driver.fail(id, { code: "upstream_error" });
    }
    call(driver, "3", { hash: "same" });
    driver.cancel("3", 1);
    assert.equal(answered(driver, "4", { hash: "same" }), 4);
    assert.match(refusalOf(call(driver, "5", { hash: "same" })) ?? "", /repeats step 4/);
  });

  test("looks at no call that has no hash, such as an embedding, which makes no text either", () => {
    const driver = begin({ maxSameCalls: 1, maxTokens: 80 }, { backend: { endpoints: ["embeddings"] } });
    const embedding = { hash: null, endpoint: "embeddings", maxOutputTokens: null } as const;
    for (const id of ["1", "2", "3"]) assert.notEqual(answered(driver, id, { ...embedding, out: 0 }), null);
    // Thirty were used; of the fifty that are left a call reserves the twenty of its text.
    assert.equal(refusalOf(call(driver, "4", embedding)), null);
    assert.equal(driver.kernel.run("tenant", "r")?.reserved.tokens, 20);
  });

  test("remembers a bounded number of different calls, the latest", () => {
    const driver = begin({ maxSameCalls: 1 });
    for (let index = 0; index < 65; index += 1) answered(driver, `c${index}`);
    assert.equal(refusalOf(call(driver, "again-0", { hash: "c0" })), null);
    assert.match(refusalOf(call(driver, "again-1", { hash: "c1" })) ?? "", /run_loop_detected/);
  });
});

describe("a run that the kernel does not know", () => {
  test("is refused until the store has said what it knows", () => {
    const driver = begin();
    const run = { runId: "r", limits: NO_RUN_LIMITS, choices: 1, callHash: "h" };
    assert.match(refusalOf(driver.arrive("1", { run })) ?? "", /^storage_unavailable/);
    assert.deepEqual([driver.receipts.get("1")?.runId, driver.receipts.get("1")?.runLimits], ["r", null]);
  });

  test("goes on from its receipts, with the limits that they had", () => {
    const before = begin();
    answered(before, "1", { limits: { maxSteps: 3, maxTokens: 110 } });
    answered(before, "2");
    const record = newRunRecord();
    for (const receipt of before.receipts.values()) addToRun(record, receipt);
    const after = begin();
    after.step({ kind: "recalled", tenant: "tenant", runId: "r", record });
    assert.match(refusalOf(call(after, "3", { maxOutputTokens: 31 })) ?? "", /tokens: 60 used, .* 110 allowed/);
    assert.equal(answered(after, "4", { out: 0 }), 3);
    assert.match(refusalOf(call(after, "5")) ?? "", /steps: 3 used/);
    assert.equal(record.steps, 2, "what was recalled stays the caller's");
  });

  test("is not made another by what the store said too late", () => {
    const driver = begin();
    answered(driver, "1");
    driver.step({ kind: "recalled", tenant: "tenant", runId: "r", record: null });
    assert.equal(answered(driver, "2"), 2);
  });
});

describe("runs that are kept", () => {
  const durable = (driver: Driver, firstLeafIndex: number, ...requestIds: string[]): void =>
    void driver.step({ kind: "appended", firstLeafIndex, requestIds });

  test("are so many; the one used longest ago goes, once the store knows all of it", () => {
    const driver = begin({}, { runs: { maxKept: 2 } });
    for (const id of ["1", "2", "3"]) answered(driver, id, { runId: id });
    const kept = (): readonly string[] =>
      ["1", "2", "3", "4", "5"].filter((id) => driver.kernel.run("tenant", id) !== null);
    assert.deepEqual(kept(), ["1", "2", "3"], "none is stored yet");
    durable(driver, 0, "2", "3");
    answered(driver, "4", { runId: "4" });
    assert.deepEqual(kept(), ["1", "4"]);
    durable(driver, 2, "1", "4");
    answered(driver, "1b", { runId: "1" });
    answered(driver, "5", { runId: "5" });
    assert.deepEqual(kept(), ["1", "5"]);
  });

  test("are forgotten when they were idle for long", () => {
    const driver = begin({}, { runs: { idleMs: 1_000 } });
    answered(driver, "1", { runId: "old" });
    durable(driver, 0, "1");
    driver.nowUs = 999_999;
    answered(driver, "2", { runId: "new" });
    assert.notEqual(driver.kernel.run("tenant", "old"), null);
    driver.nowUs = 1_000_000;
    answered(driver, "3", { runId: "newer" });
    assert.equal(driver.kernel.run("tenant", "old"), null);
  });

  test("a refused call keeps its run until it is stored, so that what it asked for is not lost", () => {
    const driver = begin({}, { runs: { maxKept: 1 } });
    call(driver, "1", { limits: { maxTokens: 1 } });
    call(driver, "2", { runId: "other" });
    assert.notEqual(driver.kernel.run("tenant", "r"), null);
  });

  test("are in snapshots, and go on from them", () => {
    const driver = begin({ maxTokens: 200, maxSameCalls: 1 });
    answered(driver, "1", { hash: "same" });
    call(driver, "2");
    const snapshot = driver.kernel.snapshot();
    const restored = Kernel.restore(JSON.parse(JSON.stringify(snapshot)));
    assert.deepEqual(restored.snapshot(), snapshot);
    assert.deepEqual(restored.run("tenant", "r"), driver.kernel.run("tenant", "r"));
    const run = { runId: "r", limits: NO_RUN_LIMITS, choices: 1, callHash: "same" };
    const job = { ...jobOf("3"), run, maxOutputTokens: 30 };
    const commands = restored.step(driver.nowUs, { kind: "arrived", wallMs: 0, job });
    assert.match(refusalOf(commands) ?? "", /run_loop_detected/);
  });
});
