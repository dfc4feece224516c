import { NO_RUN_LIMITS } from "../../src/base/run.ts";
import type { KernelConfig } from "../../src/kernel/config.ts";

/** A configuration with these backends at one site, all of which serve the model `m`. */
export function configOf(
  backends: readonly { readonly id: string; readonly maxConcurrent?: number | null }[],
  limits: Partial<KernelConfig["limits"]> = {},
): KernelConfig {
  return {
    version: 1,
    sites: [
      {
        id: "here",
        layer: "device",
        jurisdiction: null,
        pueThousandths: null,
        electricityNanoUsdPerKwh: null,
        gridMilligramsPerKwh: null,
      },
    ],
    backends: backends.map(({ id, maxConcurrent = null }) => ({
      id,
      site: "here",
      models: { m: "m" },
      endpoints: ["chat", "completions"],
      maxConcurrent,
      quota: null,
      contextTokens: null,
      watts: null,
      price: null,
      drainMs: null,
      watch: {
        connectMs: 1000,
        headersMs: 1000,
        firstMs: 1000,
        idleMs: 1000,
        totalMs: 5000,
        progressEveryTokens: 16,
      },
    })),
    models: {},
    aliases: {},
    access: {},
    emptyPools: [],
    classes: { standard: { ttftMs: null, tpotMs: null, e2eMs: null } },
    limits: { maxQueued: 10, queueTimeoutMs: 1000, maxAttempts: 3, maxUnsettled: 100, ...limits },
    runs: {
      defaults: { limits: NO_RUN_LIMITS, maxOutputTokens: 1000, unknown: "refuse" },
      tenants: {},
      maxKept: 100,
      idleMs: 60_000,
    },
    cooldown: { firstMs: 1000, maxMs: 60_000 },
  };
}
