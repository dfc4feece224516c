import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configOf } from "../../test/fakes/config.ts";
import { FakeEngine, FakeExchange, FakeStore, NOTHING_MADE } from "../../test/fakes/doors.ts";
import { until } from "../../test/until.ts";
import type { Event } from "../kernel/event.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { EngineFailure, Made } from "../ports/engine.ts";
import type { Command } from "../kernel/command.ts";
import { systemClock } from "./clock.ts";
import { Utility } from "./utility.ts";

const ID = "018bcfe5-6800-7000-8000-000000000001";
const OTHER = "018bcfe5-6800-7000-8000-000000000002";

const REPORTED: Made = {
  reported: {
    inputTokens: 7,
    cachedInputTokens: null,
    cacheWriteTokens: null,
    outputTokens: 9,
    reasoningTokens: null,
    reportedCostNanoUsd: null,
    method: "provider_reported",
  },
  outputText: "some text",
  contentPieces: 2,
};

const FAILURE: EngineFailure = {
  code: "upstream_broken",
  status: null,
  retryAfterMs: null,
  made: NOTHING_MADE,
  relay: null,
  detail: "ECONNRESET",
  told: null,
};

/** A utility over fakes: engines, a store, and a journal that keeps what the kernel was told. */
function begin(config = configOf([{ id: "a" }, { id: "b" }])) {
  const engines = new Map(config.backends.map(({ id }) => [id, new FakeEngine()]));
  const store = new FakeStore();
  const told: { readonly event: Event; readonly commands: readonly Command[] }[] = [];
  const lines: string[] = [];
  const counted: string[] = [];
  const journal = {
    isClosed: false,
    record(
      _nowUs: number,
      event: Event,
      after: { readonly commands: readonly Command[]; readonly kernel: Kernel },
    ): void {
      told.push({ event, commands: after.commands });
    },
    close(): Promise<void> {
      journal.isClosed = true;
      return Promise.resolve();
    },
  };
  const utility = new Utility({
    clock: systemClock,
    engines,
    journal,
    countTokens: (text) => {
      counted.push(text);
      return text.split(" ").length;
    },
    onReceipt: () => {},
    log: (line) => lines.push(line),
  });
  store.listen(utility);
  utility.start(config, { store, seed: "seed" });
  const engine = (id: string): FakeEngine => engines.get(id) ?? new FakeEngine();
  const send = (id: string, index = 0) => {
    const found = engine(id).sends[index];
    assert.ok(found !== undefined, `backend ${id} was sent nothing`);
    return found;
  };
  const kinds = (): string[] => told.map(({ event }) => event.kind).slice(1);
  return { utility, store, told, lines, counted, journal, engine, send, kinds };
}

const bytes = (text: string): Buffer => Buffer.from(text);

describe("one request", () => {
  test("bytes are held until the first content, then flow, and the answer ends", () => {
    const { utility, send, kinds } = begin();
    const exchange = new FakeExchange(ID);
    utility.arrive(exchange);
    const { sink, order } = send("a");
    assert.deepEqual([order.requestId, order.attempt, order.stream], [ID, 1, true]);
    assert.equal(order.body, exchange.body);
    sink.bytes(bytes("role "));
    assert.deepEqual(exchange.log, []);
    sink.first();
    sink.bytes(bytes("Hi"));
    sink.progress(16);
    sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    assert.deepEqual(exchange.log, ["committed", "sent role ", "sent Hi", "ended"]);
    assert.deepEqual(kinds(), ["arrived", "first", "progress", "finished"]);
  });

  test("events are taken one after another, whatever performing a command brings about", () => {
    const { utility, engine, told } = begin();
    const exchange = new FakeExchange(ID);
    // The engine fails inside `send`, so the failure is fed while `arrived` is still being performed; the next engine
    // finishes inside `send` too, and its commit lets another request arrive in the middle of it all.
    engine("a").onSend = ({ sink }) => sink.failed(FAILURE);
    engine("b").onSend = ({ sink }) => {
      sink.first();
      sink.bytes(bytes("Hi"));
      sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    };
    const other = new FakeExchange(OTHER);
    exchange.onCommit = () => void utility.arrive(other);
    utility.arrive(exchange);
    assert.deepEqual(
      told.slice(1).map(({ event }) => event.kind),
      ["arrived", "failed", "first", "finished", "arrived", "first", "finished"],
    );
    assert.deepEqual(
      told.slice(1, 3).map(({ commands }) => commands.map(({ kind }) => kind)),
      [["send"], ["send"]],
    );
    assert.equal(exchange.log.at(-1), "ended");
    assert.equal(other.log.at(-1), "ended");
  });

  test("a fallback throws away what the failed attempt had said, and the next one's bytes alone reach the client", () => {
    const { utility, send, lines } = begin();
    const exchange = new FakeExchange(ID);
    utility.arrive(exchange);
    send("a").sink.bytes(bytes("role of a"));
    send("a").sink.failed(FAILURE);
    assert.equal(send("b").order.attempt, 2);
    send("b").sink.first();
    send("b").sink.bytes(bytes("Hi"));
    send("b").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    assert.deepEqual(exchange.log, ["discarded role of a", "committed", "sent Hi", "ended"]);
    assert.match(lines.join("\n"), new RegExp(`${ID} attempt 1 at a: upstream_broken \\(ECONNRESET\\)`));
  });

  test("what a past attempt still says is ignored", () => {
    const { utility, send, store } = begin();
    const exchange = new FakeExchange(ID);
    utility.arrive(exchange);
    const stale = send("a").sink;
    stale.failed(FAILURE);
    assert.equal(stale.bytes(bytes("late")), true, "it is not paused for a client it has no more");
    stale.first();
    stale.progress(99);
    stale.finished({ status: 200, finishReason: "stop", made: REPORTED });
    stale.failed(FAILURE);
    assert.deepEqual(exchange.log, []);
    send("b").sink.first();
    send("b").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    send("b").sink.bytes(bytes("after the end"));
    assert.deepEqual(exchange.log, ["committed", "ended"]);
    assert.deepEqual(store.waiting, [ID], "one receipt");
  });

  test("a client hears what the backend's API has no word for, of the failure that it sees alone", () => {
    const lossy = (told: string): EngineFailure => ({ ...FAILURE, code: "not_expressible", told });
    const seenOf = (last: EngineFailure): readonly unknown[] => {
      const { utility, send } = begin();
      const exchange = new FakeExchange(ID);
      utility.arrive(exchange);
      send("a").sink.failed(lossy("`seed`"));
      send("b").sink.failed(last);
      return [exchange.failure?.code, exchange.failure?.detail];
    };
    assert.deepEqual(seenOf(lossy("`logit_bias`")), ["not_expressible", "`logit_bias`"]);
    assert.deepEqual(seenOf(FAILURE), ["upstream_broken", null]);
  });

  test("the last failure's own answer is passed on, and not that of an earlier attempt", () => {
    const { utility, send } = begin();
    const exchange = new FakeExchange(ID);
    utility.arrive(exchange);
    const relay = { status: 500, headers: {}, body: bytes("b's words") };
    const broken: EngineFailure = { ...FAILURE, code: "upstream_error", status: 500 };
    send("a").sink.failed({ ...broken, relay: { ...relay, body: bytes("a's words") } });
    send("b").sink.failed({ ...broken, relay, retryAfterMs: 3000 });
    assert.equal(exchange.failure?.code, "upstream_error");
    assert.equal(exchange.failure.relay, relay);
    assert.equal(exchange.failure.retryAfterMs, 3000);
  });

  test("a client that reads slowly pauses the engine and resumes it", () => {
    const { utility, send } = begin();
    const exchange = new FakeExchange(ID);
    const owner = utility.arrive(exchange);
    const sent = send("a");
    sent.sink.first();
    exchange.wantsMore = false;
    assert.equal(sent.sink.bytes(bytes("x")), false);
    owner.drained();
    assert.equal(sent.resumed, 1);
  });
});

describe("a client that leaves", () => {
  test("ends the attempt upstream once, and what it made is on the receipt", () => {
    const { utility, send, engine, store, told } = begin();
    engine("a").made = REPORTED;
    const owner = utility.arrive(new FakeExchange(ID));
    send("a").sink.first();
    owner.gone("client_gone");
    owner.gone("client_gone");
    assert.ok(send("a").aborted >= 1);
    const cancelled = told.flatMap(({ event }) => (event.kind === "cancelled" ? [event] : []));
    assert.equal(cancelled.length, 1);
    assert.deepEqual(
      [cancelled[0]?.attempt, cancelled[0]?.code, cancelled[0]?.usage.outputTokens],
      [1, "client_gone", 9],
    );
    assert.deepEqual(store.waiting, [ID]);
    send("a").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    assert.deepEqual(store.waiting, [ID]);
  });

  test("while it waits in the queue has used nothing, and is never sent", () => {
    const { utility, engine, send, told } = begin(configOf([{ id: "a", maxConcurrent: 1 }]));
    utility.arrive(new FakeExchange(ID));
    const waiting = utility.arrive(new FakeExchange(OTHER));
    assert.equal(utility.kernel.counts().queued, 1);
    waiting.gone("client_gone");
    send("a").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    assert.equal(engine("a").sends.length, 1);
    const cancelled = told.flatMap(({ event }) => (event.kind === "cancelled" ? [event] : []));
    assert.deepEqual([cancelled[0]?.attempt, cancelled[0]?.usage.method], [0, "unknown"]);
  });
});

describe("usage", () => {
  function usageOf(made: Made) {
    const { utility, send, told, counted } = begin();
    utility.arrive(new FakeExchange(ID));
    send("a").sink.finished({ status: 200, finishReason: "stop", made });
    const event = told.at(-1)?.event;
    assert.ok(event?.kind === "finished");
    return { usage: event.usage, counted };
  }

  test("that the upstream reports is taken as it is, zeros too, and nothing is counted", () => {
    assert.deepEqual(usageOf(REPORTED), { usage: REPORTED.reported, counted: [] });
    const zero = { ...REPORTED, reported: { ...present(REPORTED.reported), inputTokens: 0, outputTokens: 0 } };
    assert.deepEqual(usageOf(zero), { usage: zero.reported, counted: [] });
  });

  test("that it does not report is counted from the prompt and the answer, and marked as an estimate", () => {
    const { usage, counted } = usageOf({ reported: null, outputText: "four words are here", contentPieces: 4 });
    assert.deepEqual([usage.inputTokens, usage.outputTokens, usage.method], [3, 4, "counted_estimate"]);
    assert.deepEqual(counted, ["one two three", "four words are here"]);
  });

  test("that it reports in part is filled in", () => {
    const half = { ...present(REPORTED.reported), outputTokens: null };
    const { usage } = usageOf({ reported: half, outputText: "two words", contentPieces: 2 });
    assert.deepEqual([usage.inputTokens, usage.outputTokens, usage.method], [7, 2, "counted_estimate"]);
  });

  test("of a failure before any content is unknown, and after it counted", () => {
    const { utility, send, told } = begin(configOf([{ id: "a" }]));
    utility.arrive(new FakeExchange(ID));
    send("a").sink.failed(FAILURE);
    utility.arrive(new FakeExchange(OTHER));
    send("a", 1).sink.first();
    send("a", 1).sink.failed({ ...FAILURE, made: { reported: null, outputText: "two words", contentPieces: 2 } });
    const failed = told.flatMap(({ event }) => (event.kind === "failed" ? [event.usage] : []));
    assert.deepEqual(
      failed.map(({ method, outputTokens }) => [method, outputTokens]),
      [
        ["unknown", null],
        ["counted_estimate", 2],
      ],
    );
  });
});

function present<T>(value: T | null): T {
  assert.ok(value !== null);
  return value;
}

describe("a request that waits", () => {
  test("is answered when its time in the queue is over", async () => {
    const { utility } = begin(configOf([{ id: "a", maxConcurrent: 1 }], { queueTimeoutMs: 30 }));
    utility.arrive(new FakeExchange(ID));
    const waiting = new FakeExchange(OTHER);
    utility.arrive(waiting);
    await until("it is answered", () => waiting.failure !== null);
    assert.equal(waiting.failure?.code, "queue_timeout");
    assert.equal(waiting.failure.retryAfterMs, 1000);
  });
});

describe("receipts", () => {
  test("are pending while the request is open and until the commit, then settled; unknown ones are none", async () => {
    const { utility, send, store } = begin();
    utility.arrive(new FakeExchange(ID));
    assert.equal(await utility.receipt(ID, "default"), "pending");
    send("a").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    assert.equal(await utility.receipt(ID, "default"), "pending");
    store.commit();
    const found = await utility.receipt(ID, "default");
    assert.ok(found !== null && found !== "pending");
    assert.equal(found.receipt.tokens.output.value, 9);
    assert.equal(await utility.receipt(OTHER, "default"), null);
    store.commit();
    assert.deepEqual(store.postings[0]?.leafIndex, 0);
    assert.equal(utility.kernel.counts().unsettled, 0);
  });

  test("that settle while they are read are not taken for none", async () => {
    const { utility, send, store } = begin();
    utility.arrive(new FakeExchange(ID));
    send("a").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    store.onRead = () => store.commit();
    assert.notEqual(await utility.receipt(ID, "default"), null);
  });

  test("that cannot be read are an error of the reader's", async () => {
    const { utility, store } = begin();
    store.onRead = () => {
      throw new Error("no disk");
    };
    await assert.rejects(utility.receipt(ID, "default"), /no disk/);
  });

  test("trouble with the store is told and taken back", () => {
    const { utility, lines } = begin();
    utility.health("disk is full");
    assert.equal(utility.storeTrouble, "disk is full");
    utility.health(null);
    assert.equal(utility.storeTrouble, null);
    assert.deepEqual(lines, ["receipts cannot be stored: disk is full", "receipts are stored again"]);
  });
});

describe("stopping", () => {
  test("with nothing in flight is done at once", async () => {
    const { utility } = begin();
    await utility.drain(60_000);
    assert.equal(utility.stopping, true);
  });

  test("waits for what is in flight and no longer", async () => {
    const { utility, send } = begin();
    utility.arrive(new FakeExchange(ID));
    utility.arrive(new FakeExchange(OTHER));
    let isDone = false;
    const draining = utility.drain(60_000).then(() => (isDone = true));
    send("a").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    await Promise.resolve();
    assert.equal(isDone, false);
    send("b").sink.finished({ status: 200, finishReason: "stop", made: REPORTED });
    await draining;
  });

  test("cancels what is left at the deadline: sent, streaming and queued", async () => {
    const { utility, send, store } = begin(configOf([{ id: "a", maxConcurrent: 2 }]));
    const ids = [1, 2, 3].map((each) => `018bcfe5-6800-7000-8000-00000000000${each}`);
    const exchanges = ids.map((id) => new FakeExchange(id));
    for (const exchange of exchanges) utility.arrive(exchange);
    send("a", 0).sink.first();
    await utility.drain(20);
    assert.deepEqual(
      exchanges.map(({ failure }) => failure?.code),
      ["shutting_down", "shutting_down", "shutting_down"],
    );
    assert.deepEqual([send("a", 0).aborted > 0, send("a", 1).aborted > 0], [true, true]);
    assert.deepEqual(store.waiting.toSorted(), ids);
    assert.equal(utility.kernel.counts().open, 0);
  });

  test("closes the store and the journal, and says how many receipts were lost", async () => {
    const { utility, store, journal } = begin();
    store.lost = 3;
    assert.equal(await utility.close(), 3);
    assert.equal(store.isClosed && journal.isClosed, true);
  });
});
