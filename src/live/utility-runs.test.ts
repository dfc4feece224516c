import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configOf } from "../../test/fakes/config.ts";
import { FakeEngine, FakeExchange, FakeStore, NOTHING_MADE } from "../../test/fakes/doors.ts";
import { until } from "../../test/until.ts";
import { NO_RUN_LIMITS, type RunCall } from "../base/run.ts";
import { systemClock } from "./clock.ts";
import { Utility } from "./utility.ts";

const CALL: RunCall = { runId: "r", limits: NO_RUN_LIMITS, choices: 1, callHash: "h" };
const idOf = (index: number): string => `018bcfe5-6800-7000-8000-${String(index).padStart(12, "0")}`;

/** A utility with one backend, over a store that may know earlier runs. */
function begin(store = new FakeStore()) {
  const config = configOf([{ id: "a" }]);
  const engine = new FakeEngine();
  const lines: string[] = [];
  const utility = new Utility({
    clock: systemClock,
    engines: new Map([["a", engine]]),
    journal: null,
    countTokens: () => 1,
    onReceipt: () => {},
    log: (line) => lines.push(line),
  });
  store.listen(utility);
  utility.start(config, { store, seed: "seed" });
  const arrive = (index: number, given: Partial<RunCall> = {}) => {
    const exchange = new FakeExchange(idOf(index), { run: { ...CALL, ...given } });
    return { exchange, owner: utility.arrive(exchange) };
  };
  const finish = (index: number): void =>
    engine.sends[index]?.sink.finished({ status: 200, finishReason: "stop", made: NOTHING_MADE });
  return { utility, engine, store, lines, arrive, finish };
}

describe("calls of a run", () => {
  test("wait until the store has said what it knows, which is asked once", async () => {
    const { engine, store, arrive, finish } = begin();
    const calls = [arrive(1), arrive(2), arrive(3)];
    assert.equal(engine.sends.length, 0);
    await until("all are sent", () => engine.sends.length === 3);
    assert.equal(store.recalls, 1);
    [0, 1, 2].forEach(finish);
    const steps = calls.map(({ exchange }) => exchange.log[0]);
    assert.deepEqual(steps, ["joined 1", "joined 2", "joined 3"]);
    arrive(4);
    assert.equal(engine.sends.length, 4, "one that is known is not asked for again");
  });

  test("go on after a restart where its receipts ended", async () => {
    const first = begin();
    first.arrive(1);
    await until("it is sent", () => first.engine.sends.length === 1);
    first.finish(0);
    first.store.commit();
    const second = begin(first.store);
    const { exchange } = second.arrive(2);
    await until("it is sent", () => second.engine.sends.length === 1);
    assert.deepEqual(exchange.log, ["joined 2"]);
  });

  test("are refused when the store cannot be read, and the reason is logged", async () => {
    const { store, lines, arrive } = begin();
    store.onRead = () => {
      throw new Error("the disk is gone");
    };
    const { exchange } = arrive(1);
    await until("it is answered", () => exchange.failure !== null);
    assert.equal(exchange.failure?.code, "storage_unavailable");
    assert.deepEqual(lines, ["run r cannot be read: the disk is gone"]);
  });

  test("whose client left while the store was asked end as cancelled", async () => {
    const { utility, store, arrive } = begin();
    const { owner } = arrive(1);
    owner.gone("client_gone");
    await until("its receipt is made", () => store.waiting.length === 1);
    store.commit();
    const found = await utility.receipt(idOf(1), "default");
    assert.ok(found !== null && found !== "pending");
    assert.deepEqual([found.receipt.outcome, found.receipt.code], ["cancelled", "client_gone"]);
  });
});

describe("a run that is asked for", () => {
  const page = { after: -1, limit: 2 };

  test("is told by the kernel while it keeps it, with a page of what is stored", async () => {
    const { utility, engine, store, arrive, finish } = begin();
    arrive(1);
    await until("it is sent", () => engine.sends.length === 1);
    arrive(2);
    arrive(3);
    [0, 1].forEach(finish);
    store.commit();
    const found = (await utility.run("default", "r", page)) ?? assert.fail("no run");
    assert.deepEqual([found.run.record.steps, found.run.inFlight, found.next], [3, 1, null]);
    assert.deepEqual(
      found.receipts.map(({ receipt }) => receipt.step),
      [1, 2],
    );
    finish(2);
    store.commit();
    const first = await utility.run("default", "r", page);
    assert.deepEqual([first?.receipts.length, first?.next], [2, 1]);
    const rest = await utility.run("default", "r", { after: 1, limit: 2 });
    assert.deepEqual([rest?.receipts.map(({ leafIndex }) => leafIndex), rest?.next], [[2], null]);
  });

  test("is told by its receipts where the kernel does not keep it, and not to another tenant", async () => {
    const first = begin();
    first.arrive(1);
    await until("it is sent", () => first.engine.sends.length === 1);
    first.finish(0);
    first.store.commit();
    const { utility } = begin(first.store);
    const found = await utility.run("default", "r", page);
    assert.deepEqual([found?.run.record.steps, found?.run.inFlight, found?.receipts.length], [1, 0, 1]);
    assert.equal(await utility.run("other", "r", page), null);
    assert.equal(await utility.run("default", "none", page), null);
  });
});
