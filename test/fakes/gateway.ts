import type { GatewayOptions } from "../../src/gateway/server.ts";

/** A gateway's options where a test does not care. */
export const GATEWAY_OPTIONS: GatewayOptions = {
  keys: new Map(),
  tls: null,
  maxBodyBytes: 1_000_000,
  maxUrlBytes: 8192,
  maxHeaders: 100,
  maxHeaderBytes: 16_384,
  maxJsonDepth: 256,
  uploadTimeoutMs: 30_000,
  clientIdleMs: 60_000,
  defaultClass: "standard",
  maxConnections: 1000,
  maxConnectionsPerClient: null,
  maxOpenRequests: 1000,
  trustedProxies: [],
  idempotencyKeepMs: 600_000,
  idempotencyMaxBytes: 1_000_000,
  logClientAddress: false,
  version: "0",
  estimate: null,
  log: () => {},
};
