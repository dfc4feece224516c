import assert from "node:assert/strict";
import { test } from "node:test";
import { UNKNOWN_USAGE } from "../base/job.ts";
import type { Command } from "../kernel/command.ts";
import type { Event } from "../kernel/event.ts";
import { Checkers } from "./checkers.ts";
import { type Rule, Violation } from "./checkers/violation.ts";
import { backendOf, configOf, Driver, jobOf } from "./driver.ts";
import type { StoreModel } from "./store-model.ts";

type Disk = Pick<StoreModel, "leaves" | "postings">;

const violates = (rule: Rule) => (error: unknown) => error instanceof Violation && error.rule === rule;

/** A kernel with one backend of one slot, looked at by checkers with this disk. */
class Watched {
  readonly driver = new Driver(configOf([backendOf("a")]));
  readonly checkers: Checkers;

  constructor(disk: Disk = { leaves: [], postings: new Map() }) {
    this.checkers = new Checkers(disk);
    this.checkers.step(0, { kind: "configured", wallMs: 0, seed: "s", config: configOf([backendOf("a")]) }, []);
    this.checkers.step(0, { kind: "leased", resource: "backend/a/concurrency", amount: 1 }, []);
  }

  step(event: Event): readonly Command[] {
    const commands = this.driver.step(event);
    this.checkers.step(this.driver.nowUs, event, commands);
    return commands;
  }

  arrive(requestId: string): readonly Command[] {
    return this.step({ kind: "arrived", wallMs: 0, job: jobOf(requestId) });
  }
}

const GONE = { kind: "cancelled", requestId: "b", attempt: 0, code: "client_gone", usage: UNKNOWN_USAGE } as const;

test("queue-order: a newcomer that is sent past one who waits is caught", () => {
  const watched = new Watched();
  const { checkers, driver } = watched;
  const [first] = watched.arrive("first");
  watched.arrive("waits");
  assert.equal(first?.kind, "send");
  const finished = { kind: "finished", requestId: "first", attempt: 1, status: 200 } as const;
  const event = { ...finished, finishReason: "stop", usage: UNKNOWN_USAGE };
  // As from a kernel that forgot to look into its queue: the free slot goes to whoever comes next.
  const commands = driver.step(event).filter((command) => command.kind !== "send");
  checkers.step(0, event, commands);
  const newcomer: Event = { kind: "arrived", wallMs: 0, job: jobOf("newcomer") };
  const sent = [{ ...first, requestId: "newcomer" } as Command];
  assert.throws(() => checkers.step(0, newcomer, sent), violates("queue-order"));
});

test("liveness: a request that never ends is caught", () => {
  const watched = new Watched();
  watched.arrive("endless");
  assert.throws(() => watched.checkers.end(1), violates("liveness"));
});

test("durable: a receipt that is reported but not on the disk is caught", () => {
  const watched = new Watched();
  watched.arrive("a");
  watched.arrive("b");
  watched.step(GONE);
  const appended: Event = { kind: "appended", firstLeafIndex: 0, requestIds: ["b"] };
  assert.throws(() => watched.step(appended), violates("durable"));
});

test("durable: a receipt that was reported and is gone after a crash is caught", () => {
  const disk: Disk = { leaves: [], postings: new Map() };
  const watched = new Watched(disk);
  watched.arrive("a");
  watched.arrive("b");
  const append = watched.step(GONE).find((command) => command.kind === "append");
  assert.ok(append?.kind === "append");
  disk.leaves.push({ requestId: "b", receipt: append.receipt });
  watched.step({ kind: "appended", firstLeafIndex: 0, requestIds: ["b"] });
  disk.leaves.pop();
  assert.throws(() => watched.checkers.crash(1), violates("durable"));
});
