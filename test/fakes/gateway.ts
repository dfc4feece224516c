import type { GatewayOptions } from "../../src/gateway/server.ts";

/** A gateway's options where a test does not care. */
export const GATEWAY_OPTIONS: GatewayOptions = {
  keys: new Map(),
  maxBodyBytes: 1_000_000,
  uploadTimeoutMs: 30_000,
  defaultClass: "standard",
  idempotencyKeepMs: 600_000,
  idempotencyMaxBytes: 1_000_000,
  version: "0",
};
