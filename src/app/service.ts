import { readFileSync } from "node:fs";
import type { Gateway } from "../gateway/server.ts";
import type { Storage } from "../gateway/storage.ts";
import type { Utility } from "../live/utility.ts";
import { refuseBind } from "./config/bind.ts";
import type { AppConfig } from "./config/types.ts";
import type { Discovery } from "./discovery/discovery.ts";
import { expand } from "./discovery/expand.ts";
import type { EngineFleet, FleetChange, FleetChanged } from "./engine-fleet.ts";
import { type Environment, keyRing } from "./keys.ts";
import type { Showing } from "./observe.ts";
import type { Prober } from "./prober.ts";
import { provideTinyModel } from "./tiny.ts";
import { readTls, type TlsFiles } from "./tls.ts";
import { estimator } from "./estimate/endpoint.ts";
import { VERSION } from "./version.ts";

// What is cut off at the end of shutdownMs still gets its error event.
const LAST_BYTES_MS = 500;
// A key's file that cannot be read just now keeps members out; it is tried again.
const REFRESH_AGAIN_MS = 5000;

type Keys = ReturnType<typeof keyRing>;

/** What a service is made of. */
export interface ServiceParts {
  /** The configuration as the file has it, and with the members that were found. */
  readonly source: AppConfig;
  readonly config: AppConfig;
  readonly keys: Keys;
  readonly tls: TlsFiles | null;
  readonly log: (line: string) => void;
  readonly dataDir: string;
  readonly env: Environment;
  readonly utility: Utility;
  readonly fleet: EngineFleet;
  readonly gateway: Gateway;
  readonly storage: Storage;
  readonly prober: Prober;
  readonly discovery: Discovery;
  readonly shown: Showing;
}

/** A running Baseload, which can go on with another configuration. Owned by whoever composed it; made of parts that run. */
export class Service {
  readonly #parts: ServiceParts;
  #source: AppConfig;
  #config: AppConfig;
  #keys: Keys;
  #tls: TlsFiles | null;
  #refreshTimer: NodeJS.Timeout | null = null;
  /** One change at a time, each upon what the one before it left. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#source = parts.source;
    this.#config = parts.config;
    this.#keys = parts.keys;
    this.#tls = parts.tls;
  }

  /** The configuration in force, with the members that were found. */
  get config(): AppConfig {
    return this.#config;
  }

  /**
   * Goes on with another configuration, all of it or nothing: rejects in words when it cannot be taken, and the one before it
   * stays in force then. Models are loaded first. Resolves to what was changed.
   */
  reload(config: AppConfig): Promise<FleetChanged> {
    const changed = this.#changing.then(() => this.#reload(config));
    this.#changing = changed.catch(() => {});
    return changed;
  }

  /** The members of a backend are others than before: they join and leave once no other change is under way. */
  refresh(): void {
    this.#changing = this.#changing
      .then(() => this.#refresh())
      .catch((error: unknown) => {
        this.#parts.log(`members wait to join or leave: ${error instanceof Error ? error.message : String(error)}`);
        if (this.#refreshTimer !== null) clearTimeout(this.#refreshTimer);
        this.#refreshTimer = setTimeout(() => this.refresh(), REFRESH_AGAIN_MS);
      });
  }

  /** Ends open requests within the configured time, commits, closes. Resolves to the number of receipts that were lost. */
  async stop(): Promise<number> {
    const { prober, gateway, storage, utility, fleet, discovery, shown } = this.#parts;
    const { shutdownMs } = this.#config.server;
    const endMs = performance.now() + shutdownMs;
    discovery.stop();
    if (this.#refreshTimer !== null) clearTimeout(this.#refreshTimer);
    prober.stop();
    gateway.stopListening();
    await storage.stop();
    await utility.drain(shutdownMs);
    const lost = await utility.close();
    // A slow reader's answer may be complete here and not yet there.
    await gateway.finish(Math.max(endMs - performance.now(), LAST_BYTES_MS));
    await storage.settled();
    await fleet.close();
    shown.close();
    return lost;
  }

  async #reload(next: AppConfig): Promise<FleetChanged> {
    const source = pinned(next, this.#source);
    const { fleet, utility, env, dataDir, discovery } = this.#parts;
    const refusal = refuseBind(source.server.host, source.tenants);
    if (refusal !== null) throw new Error(refusal);
    const keys = keyRing(source.tenants, env);
    const tls = tlsOf(source);
    provideTinyModel(source, dataDir);
    const looks = await discovery.look(source.discovered);
    const config = expand(source, discovery.members(source.discovered, looks));
    const change = fleet.prepare(config.engines);
    await fleet.load(change);
    if (utility.stopping) {
      await fleet.drop(change);
      throw new Error("the server is stopping");
    }
    this.#source = source;
    this.#keys = keys;
    this.#tls = tls;
    discovery.follow(source.discovered, looks);
    return this.#install(config, change);
  }

  async #refresh(): Promise<void> {
    const { fleet, utility, discovery } = this.#parts;
    if (utility.stopping) return;
    const config = expand(this.#source, discovery.members(this.#source.discovered, []));
    await this.#install(config, fleet.prepare(config.engines));
  }

  /** Nothing comes between these: no request is sent to a backend whose engine is not there, or by keys of another file. */
  async #install(config: AppConfig, change: FleetChange): Promise<FleetChanged> {
    const { fleet, utility, gateway, prober, log } = this.#parts;
    const changed = fleet.install(change);
    const { logClientAddress } = config.telemetry;
    const here = { tls: this.#tls, keys: this.#keys, version: VERSION, estimate: estimator(), log };
    gateway.configure({ ...config.server, logClientAddress, ...here });
    utility.configure(config.kernel);
    prober.configure(config);
    this.#config = config;
    await fleet.report(change);
    return changed;
  }
}

/** The certificate and key of a configuration; throws in words when they cannot be used. */
export function tlsOf({ server }: AppConfig): TlsFiles | null {
  return server.tls === null ? null : readTls(server.tls, (path) => readFileSync(path, "utf8"));
}

const PINNED = [
  "host",
  "port",
  "maxAnswerBytes",
  "memoryLimitBytes",
  "maxHeaders",
  "maxHeaderBytes",
  "maxConnections",
  "maxConnectionsPerClient",
  "trustedProxies",
  "idempotencyKeepMs",
  "idempotencyMaxBytes",
] as const;

/** What the file asks for that takes a restart, in words: these stay as they were. */
export function needRestart(next: AppConfig, now: AppConfig): readonly string[] {
  const said = (config: AppConfig, key: (typeof PINNED)[number]): string => {
    const value = config.server[key];
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  const changed = PINNED.filter((key) => said(next, key) !== said(now, key));
  const lines = changed.map(
    (key) => `server.${key} stays ${said(now, key)} until a restart; the file says ${said(next, key)}`,
  );
  for (const [key, value] of Object.entries(now.storage)) {
    const asked: unknown = next.storage[key as keyof AppConfig["storage"]];
    if (asked !== value) lines.push(`storage.${key} stays ${value} until a restart; the file says ${String(asked)}`);
  }
  if (hasTls(next) !== hasTls(now)) lines.push("server.tls begins or ends with a restart only");
  const { requestLog } = now.telemetry;
  if (next.telemetry.requestLog === requestLog) return lines;
  return [...lines, `telemetry.requestLog stays ${requestLog} until a restart`];
}

function pinned(next: AppConfig, now: AppConfig): AppConfig {
  const kept = Object.fromEntries(PINNED.map((key) => [key, now.server[key]]));
  // Other certificates are taken; a server that spoke HTTP cannot begin to speak HTTPS.
  const tls = hasTls(next) === hasTls(now) ? next.server.tls : now.server.tls;
  const telemetry = { ...next.telemetry, requestLog: now.telemetry.requestLog };
  return { ...next, server: { ...next.server, ...kept, tls }, storage: now.storage, telemetry };
}

function hasTls({ server }: AppConfig): boolean {
  return server.tls !== null;
}
