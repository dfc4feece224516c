import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../base/assert.ts";
import { NO_RUN_LIMITS } from "../base/run.ts";
import type { Append, Command } from "../kernel/command.ts";
import type { KernelConfig } from "../kernel/config.ts";
import type { Event } from "../kernel/event.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Rule, Violation } from "./checkers/violation.ts";
import { simulate } from "./run.ts";
import type { Machine } from "./world.ts";

type Break = (kernel: Kernel) => Machine;

/** A kernel whose commands are changed on their way out: each command becomes what `change` makes of it. */
const outgoing =
  (change: (command: Command, event: Event) => readonly Command[]): Break =>
  (kernel) => ({ step: (nowUs, event) => kernel.step(nowUs, event).flatMap((command) => change(command, event)) });

const drops = (kind: Command["kind"]): Break => outgoing((command) => (command.kind === kind ? [] : [command]));

const doubles = (kind: Command["kind"]): Break =>
  outgoing((command) => (command.kind === kind ? [command, command] : [command]));

const receipts = (change: (append: Append) => Append["receipt"]): Break =>
  outgoing((command) => (command.kind === "append" ? [{ ...command, receipt: change(command) }] : [command]));

/** A kernel that hears something else than what happened. */
const incoming =
  (change: (event: Event) => Event): Break =>
  (kernel) => ({ step: (nowUs, event) => kernel.step(nowUs, change(event)) });

const configs = (change: (config: KernelConfig) => KernelConfig): Break =>
  incoming((event) => (event.kind === "configured" ? { ...event, config: change(event.config) } : event));

type Quota = NonNullable<KernelConfig["backends"][number]["quota"]>;

const twice = (quota: Quota): Quota => {
  const double = (limit: number | null): number | null => (limit === null ? null : 2 * limit);
  const { requestsPerMinute, tokensPerMinute, requestsPerDay, tokensPerDay } = quota;
  return {
    ...quota,
    requestsPerMinute: double(requestsPerMinute),
    tokensPerMinute: double(tokensPerMinute),
    requestsPerDay: double(requestsPerDay),
    tokensPerDay: double(tokensPerDay),
  };
};

/** The rule that the first violation names, over seeds until there is one. */
function caught(machine: Break): Rule | null {
  for (let index = 0; index < 20; index += 1) {
    try {
      simulate({ seed: `canary-${index}`, requests: 400, machine, faults: { clientLeaves: 50, commitSlow: 0 } });
    } catch (error) {
      assert.ok(error instanceof Violation, String(error));
      return error.rule;
    }
  }
  return null;
}

const CANARIES: readonly { readonly name: string; readonly rule: Rule; readonly machine: Break }[] = [
  { name: "answers twice", rule: "answered-once", machine: doubles("answer") },
  {
    name: "answers nobody who finished",
    rule: "answered-once",
    machine: outgoing((command, event) => (command.kind === "answer" && event.kind === "finished" ? [] : [command])),
  },
  {
    name: "says well to a failure",
    rule: "commit-once",
    machine: outgoing((command) => (command.kind === "answer" ? [{ ...command, result: { ok: true } }] : [command])),
  },
  { name: "drops a receipt", rule: "settled-once", machine: drops("append") },
  { name: "makes two receipts", rule: "settled-once", machine: doubles("append") },
  {
    name: "calls everything completed",
    rule: "settled-once",
    machine: receipts(({ receipt }) => ({ ...receipt, outcome: "completed" })),
  },
  {
    name: "forgets attempts",
    rule: "settled-once",
    machine: receipts(({ receipt }) => ({ ...receipt, attempts: receipt.attempts.slice(1) })),
  },
  { name: "drops a posting", rule: "posted-once", machine: drops("post") },
  { name: "posts twice", rule: "posted-once", machine: doubles("post") },
  {
    name: "posts half",
    rule: "posted-once",
    machine: outgoing((command) => {
      if (command.kind !== "post") return [command];
      const amounts = { ...command.posting.amounts, costNanoUsd: null };
      return [{ ...command, posting: { ...command.posting, amounts } }];
    }),
  },
  {
    name: "posts to another account",
    rule: "posted-once",
    machine: outgoing((command) => {
      if (command.kind !== "post") return [command];
      return [{ ...command, posting: { ...command.posting, backend: "other" } }];
    }),
  },
  { name: "holds headers back", rule: "commit-once", machine: drops("commit") },
  { name: "commits twice", rule: "commit-once", machine: doubles("commit") },
  { name: "lets a left client's attempt run on", rule: "abort-running", machine: drops("abort") },
  { name: "aborts twice", rule: "abort-running", machine: doubles("abort") },
  { name: "sends twice", rule: "attempts", machine: doubles("send") },
  {
    name: "miscounts attempts",
    rule: "attempts",
    machine: outgoing((command) =>
      command.kind === "send" ? [{ ...command, attempt: command.attempt + 1 }] : [command],
    ),
  },
  {
    name: "sends to a backend that is not configured",
    rule: "send-eligible",
    machine: outgoing((command) => (command.kind === "send" ? [{ ...command, backendId: "nowhere" }] : [command])),
  },
  {
    name: "sends another model's name",
    rule: "send-eligible",
    machine: outgoing((command) => (command.kind === "send" ? [{ ...command, upstreamModel: "other" }] : [command])),
  },
  {
    name: "does not heed a cordon",
    rule: "send-eligible",
    machine: incoming((event) => (event.kind === "cordoned" ? { ...event, cordoned: false } : event)),
  },
  {
    name: "makes up a watch",
    rule: "send-eligible",
    machine: outgoing((command) =>
      command.kind === "send" ? [{ ...command, watch: { ...command.watch, firstMs: 1_000_000 } }] : [command],
    ),
  },
  {
    name: "tries for ever",
    rule: "send-eligible",
    machine: configs((config) => ({ ...config, limits: { ...config.limits, maxAttempts: 99 } })),
  },
  {
    name: "overbooks backends",
    rule: "backend-limit",
    machine: incoming((event) => {
      if (event.kind === "leased") return { ...event, amount: 1_000 };
      if (event.kind !== "configured") return event;
      const backends = event.config.backends.map((backend) => ({ ...backend, maxConcurrent: 1_000 }));
      return { ...event, config: { ...event.config, backends } };
    }),
  },
  {
    name: "overdraws quotas",
    rule: "backend-quota",
    machine: configs((config) => ({ ...config, backends: config.backends.map((each) => ({ ...each, quota: null })) })),
  },
  {
    name: "takes every provider for twice as generous",
    rule: "backend-quota",
    machine: configs((config) => ({
      ...config,
      backends: config.backends.map((each) => ({ ...each, quota: each.quota === null ? null : twice(each.quota) })),
    })),
  },
  {
    name: "gives back what was used",
    rule: "backend-quota",
    machine: incoming((event) =>
      event.kind === "failed" ? { ...event, usage: { ...event.usage, inputTokens: 0, outputTokens: 0 } } : event,
    ),
  },
  {
    name: "tries the models of an alias from the last",
    rule: "send-eligible",
    machine: configs((config) => ({
      ...config,
      aliases: Object.fromEntries(
        Object.entries(config.aliases).map(([alias, models]) => [alias, models.toReversed()] as const),
      ),
    })),
  },
  {
    name: "forgets a request that it woke too early",
    rule: "queue-deadline",
    machine: outgoing((command, event) => (command.kind === "wake" && event.kind === "woke" ? [] : [command])),
  },
  {
    name: "queues without bound",
    rule: "queue-bound",
    machine: configs((config) => ({ ...config, limits: { ...config.limits, maxQueued: 100_000 } })),
  },
  {
    name: "lets requests wait too long",
    rule: "queue-deadline",
    machine: configs((config) => ({ ...config, limits: { ...config.limits, queueTimeoutMs: 100_000 } })),
  },
  { name: "sets no wake", rule: "queue-deadline", machine: drops("wake") },
  {
    name: "meters other watts",
    rule: "energy",
    machine: configs((config) => ({
      ...config,
      backends: config.backends.map((each) => ({ ...each, watts: each.watts === null ? null : each.watts + 1 })),
    })),
  },
  {
    name: "loses a millijoule a receipt",
    rule: "energy",
    machine: outgoing((command) => {
      if (command.kind === "append") {
        const { energyMilliJoules } = command.receipt;
        const value = energyMilliJoules.value === null ? null : Math.max(0, energyMilliJoules.value - 1);
        return [{ ...command, receipt: { ...command.receipt, energyMilliJoules: { ...energyMilliJoules, value } } }];
      }
      if (command.kind !== "post") return [command];
      // The posting loses it too, so that only the meter can tell.
      const { amounts } = command.posting;
      const { energyMilliJoules } = amounts;
      const lost = energyMilliJoules === null ? null : Math.max(0, energyMilliJoules - 1);
      return [{ ...command, posting: { ...command.posting, amounts: { ...amounts, energyMilliJoules: lost } } }];
    }),
  },
  {
    name: "charges a nano-dollar more than its lines",
    rule: "cost-lines",
    machine: receipts(({ receipt }) => {
      const { value } = receipt.costNanoUsd;
      if (value === null) return receipt;
      return { ...receipt, costNanoUsd: { ...receipt.costNanoUsd, value: value + 1, high: value + 1 } };
    }),
  },
  {
    name: "rounds every line up",
    rule: "cost-lines",
    machine: receipts(({ receipt }) => ({
      ...receipt,
      costLines: receipt.costLines.map((line) => ({ ...line, amountNanoUsd: line.amountNanoUsd + 1 })),
      costNanoUsd: {
        ...receipt.costNanoUsd,
        value: receipt.costNanoUsd.value === null ? null : receipt.costNanoUsd.value + receipt.costLines.length,
        high: Number.MAX_SAFE_INTEGER,
      },
    })),
  },
  {
    name: "numbers every step of a run as the first",
    rule: "run-step",
    machine: outgoing((command) => (command.kind === "join" ? [{ ...command, step: 1 }] : [command])),
  },
  {
    name: "puts no step on receipts",
    rule: "run-step",
    machine: receipts(({ receipt }) => ({ ...receipt, step: null })),
  },
  {
    name: "knows no limits of runs",
    rule: "run-limit",
    machine: configs((config) => {
      const defaults = { ...config.runs.defaults, limits: NO_RUN_LIMITS };
      return { ...config, runs: { ...config.runs, defaults, tenants: {} } };
    }),
  },
  {
    name: "reserves too little for calls that do not say what they may take",
    rule: "run-limit",
    machine: configs((config) => {
      const defaults = { ...config.runs.defaults, maxOutputTokens: 0 };
      return { ...config, runs: { ...config.runs, defaults, tenants: {} } };
    }),
  },
  {
    name: "refuses calls for which there is room",
    rule: "run-limit",
    machine: configs((config) => {
      const { defaults } = config.runs;
      const rules = { ...defaults, limits: { ...defaults.limits, maxSteps: 1 } };
      return { ...config, runs: { ...config.runs, defaults: rules, tenants: {} } };
    }),
  },
  {
    name: "takes every call for another one",
    rule: "run-loop",
    machine: incoming((event) => {
      if (event.kind !== "arrived" || event.job.run === null) return event;
      return { ...event, job: { ...event.job, run: { ...event.job.run, callHash: event.job.requestId } } };
    }),
  },
  {
    name: "counts a token too many for a run",
    rule: "run-totals",
    machine: (kernel) => ({
      step: (nowUs, event) => kernel.step(nowUs, event),
      run: (tenant, runId) => {
        const view = kernel.run(tenant, runId);
        if (view === null) return null;
        const { totals } = view.record;
        const tokens = { ...totals.tokens, value: totals.tokens.value + 1 };
        return { ...view, record: { ...view.record, totals: { ...totals, tokens } } };
      },
    }),
  },
  {
    name: "fails its own assertion",
    rule: "kernel-asserts",
    machine: () => ({
      step: () => {
        throw new AssertionFailure("on purpose");
      },
    }),
  },
];

for (const { name, rule, machine } of CANARIES) {
  test(`a kernel that ${name} is caught by ${rule}`, () => {
    assert.equal(caught(machine), rule);
  });
}

test("a kernel that only passes through is not caught", () => {
  assert.equal(caught(outgoing((command) => [command])), null);
});
