import type { BackendId, RequestId } from "../base/ids.ts";
import { type Job, UNKNOWN_USAGE, type Usage } from "../base/job.ts";
import { NO_RUN_LIMITS } from "../base/run.ts";
import type { Receipt } from "../base/receipt.ts";
import type { Command } from "../kernel/command.ts";
import type { BackendConfig, KernelConfig, SiteConfig } from "../kernel/config.ts";
import type { Configured, Event, Failed } from "../kernel/event.ts";
import { Kernel } from "../kernel/kernel.ts";

/** A site with nothing declared but what is given. */
export function siteOf(given: Partial<SiteConfig> = {}): SiteConfig {
  return {
    id: "here",
    layer: "enterprise",
    jurisdiction: null,
    pueThousandths: null,
    electricityNanoUsdPerKwh: null,
    gridMilligramsPerKwh: null,
    ...given,
  };
}

/** A backend that serves model `m` at site `here`, one request at a time, with nothing declared but what is given. */
export function backendOf(id: BackendId, given: Partial<BackendConfig> = {}): BackendConfig {
  return {
    id,
    site: "here",
    models: { m: "m" },
    endpoints: ["chat", "completions"],
    maxConcurrent: 1,
    quota: null,
    contextTokens: null,
    watts: null,
    price: null,
    drainMs: null,
    watch: {
      connectMs: 100,
      headersMs: 200,
      firstMs: 300,
      idleMs: 400,
      totalMs: 5_000,
      progressEveryTokens: 32,
    },
    ...given,
  };
}

/** A configuration of these backends, with small limits. */
export function configOf(backends: readonly BackendConfig[], given: Partial<KernelConfig> = {}): KernelConfig {
  return {
    version: 1,
    sites: [siteOf()],
    backends,
    models: {},
    aliases: {},
    access: {},
    emptyPools: [],
    classes: { standard: { ttftMs: null, tpotMs: null, e2eMs: null } },
    limits: { maxQueued: 10, queueTimeoutMs: 1_000, maxAttempts: 3, maxUnsettled: 100 },
    runs: {
      defaults: { limits: NO_RUN_LIMITS, maxOutputTokens: 1000, unknown: "refuse" },
      tenants: {},
      maxKept: 100,
      idleMs: 60_000,
    },
    cooldown: { firstMs: 1_000, maxMs: 8_000 },
    ...given,
  };
}

/** A streamed chat request for model `m`. */
export function jobOf(requestId: RequestId, given: Partial<Job> = {}): Job {
  return {
    requestId,
    principal: { tenant: "tenant", project: null, user: null, key: null },
    class: "standard",
    model: "m",
    endpoint: "chat",
    stream: true,
    wantsUsage: false,
    bodyBytes: 100,
    promptTextLength: 40,
    maxOutputTokens: null,
    attributes: {},
    prefixHashes: [],
    blockTokens: null,
    run: null,
    ...given,
  };
}

/** Usage that a provider reported. */
export function reported(inputTokens: number, outputTokens: number, given: Partial<Usage> = {}): Usage {
  return { ...UNKNOWN_USAGE, inputTokens, outputTokens, method: "provider_reported", ...given };
}

/**
 * Drives one kernel by hand, a step a line: for the kernel's own tests and for looking into a case that a simulation found.
 * Leases are granted at once. `now` is the caller's to move.
 */
export class Driver {
  readonly kernel = new Kernel();
  nowUs = 0;
  /** The latest receipt of each request. */
  readonly receipts = new Map<RequestId, Receipt>();

  constructor(config: KernelConfig) {
    this.configure(config);
  }

  /** Feeds one event now. */
  step(event: Event): readonly Command[] {
    const commands = this.kernel.step(this.nowUs, event);
    for (const command of commands) {
      if (command.kind === "append") this.receipts.set(command.requestId, command.receipt);
    }
    return commands;
  }

  /** Configures and grants what is asked for; returns what else was ordered. */
  configure(config: KernelConfig): readonly Command[] {
    const event: Configured = { kind: "configured", wallMs: 0, config, seed: "seed" };
    return this.step(event).flatMap((command) => {
      if (command.kind !== "lease") return [command];
      return this.step({ kind: "leased", resource: command.resource, amount: command.amount });
    });
  }

  arrive(requestId: RequestId, given: Partial<Job> = {}): readonly Command[] {
    return this.step({ kind: "arrived", wallMs: 0, job: jobOf(requestId, given) });
  }

  first(requestId: RequestId, attempt = 1): readonly Command[] {
    return this.step({ kind: "first", requestId, attempt });
  }

  finish(requestId: RequestId, usage: Usage = UNKNOWN_USAGE, attempt = 1): readonly Command[] {
    return this.step({ kind: "finished", requestId, attempt, status: 200, finishReason: "stop", usage });
  }

  fail(requestId: RequestId, given: Partial<Failed> = {}): readonly Command[] {
    const failed = { kind: "failed", requestId, attempt: 1, code: "upstream_broken", status: null } as const;
    return this.step({ ...failed, retryAfterMs: null, usage: UNKNOWN_USAGE, ...given });
  }

  cancel(requestId: RequestId, attempt: number, usage: Usage = UNKNOWN_USAGE): readonly Command[] {
    return this.step({ kind: "cancelled", requestId, attempt, code: "client_gone", usage });
  }
}
