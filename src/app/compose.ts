import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { KeyRing } from "../gateway/access.ts";
import type { Receipt } from "../base/receipt.ts";
import { Gateway } from "../gateway/server.ts";
import { estimator } from "./estimate/endpoint.ts";
import { Storage } from "../gateway/storage.ts";
import { systemClock } from "../live/clock.ts";
import { FileShelf } from "../live/file-shelf.ts";
import { JournalFile } from "../live/journal-file.ts";
import { Mint } from "../live/mint.ts";
import { receiptPrinter } from "../live/receipt-text.ts";
import { SqliteStore } from "../live/sqlite-store.ts";
import { type CountTokens, lazyTokenCounter } from "../live/token-counter.ts";
import { Utility } from "../live/utility.ts";
import type { Desk } from "../ports/desk.ts";
import { refuseBind } from "./config/bind.ts";
import type { AppConfig } from "./config/types.ts";
import { Discovery } from "./discovery/discovery.ts";
import { expand } from "./discovery/expand.ts";
import { systemResolver } from "./discovery/resolver.ts";
import { EngineFleet, type FleetChange, type FleetChanged, type FleetParts } from "./engine-fleet.ts";
import { type Environment, keyRing } from "./keys.ts";
import { showing, type Showing } from "./observe.ts";
import { asksForModels, Prober } from "./prober.ts";
import { Service, tlsOf } from "./service.ts";
import type { TlsFiles } from "./tls.ts";
import { VERSION } from "./version.ts";

export { provideTinyModel } from "./tiny.ts";

/** What a running Baseload is started with besides its configuration. */
export interface ServeOptions {
  readonly dataDir: string;
  /** File to record the journal in, or null. */
  readonly journal: string | null;
  readonly env: Environment;
  /** One line for the operator. */
  readonly log: (line: string) => void;
}

/** A running Baseload. */
export interface Running {
  readonly url: string;
  /** The configuration in force. */
  readonly config: AppConfig;
  /** Resolves when every embedded model is loaded; rejects in words when one cannot be. */
  readonly ready: Promise<void>;
  /** The embedded engines' child processes. */
  childPids(): readonly number[];
  /** Goes on with another configuration, all of it or nothing: rejects in words and changes nothing when it cannot be taken. */
  reload(config: AppConfig): Promise<FleetChanged>;
  /** What /readyz tells the operator besides, from now on. */
  warn(lines: readonly string[]): void;
  /** Ends open requests within the configured time, commits, closes. Resolves to the number of receipts that were lost. */
  stop(): Promise<number>;
}

/** The composition root: joins the kernel, the doors and the configuration. Rejects in words when it cannot serve. */
export async function compose(source: AppConfig, options: ServeOptions): Promise<Running> {
  const refusal = refuseBind(source.server.host, source.tenants);
  if (refusal !== null) throw new Error(refusal);
  const { dataDir, env, log } = options;
  const keys = keyRing(source.tenants, env);
  const tls = tlsOf(source);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const discovery = new Discovery({ resolver: systemResolver(), log, changed: () => service.refresh() });
  const looks = await discovery.look(source.discovered);
  const config = expand(source, discovery.members(source.discovered, looks));
  const observe: FleetParts["observe"] = (backendId, report) =>
    utility.feed({ kind: "observed", backendId, ...report });
  const fleet = new EngineFleet({ dataDir, env, log, ...config.server, observe });
  const change = fleet.prepare(config.engines);
  const shown = showing(config.telemetry.requestLog, log);
  const print = receiptPrinter();
  const journal = openJournal(options, print);
  const countTokens = lazyTokenCounter();
  const utility: Utility = new Utility({
    clock: systemClock,
    engines: fleet.engines,
    journal,
    countTokens,
    onReceipt: shown.receipt,
    log,
  });
  fleet.install(change);
  const store = await openStore(options, { utility, print, journal });
  utility.start(config.kernel, { store, seed: randomUUID() });
  waitForModels(utility, change);
  const notices: Notices = { lines: [] };
  const desk = deskOf({ utility, fleet, notices, shown, countTokens });
  const undo = async (): Promise<void> => {
    await utility.close();
    discard(options.journal);
  };
  const { gateway, storage, port } = await openGateway(desk, { config, keys, tls, options, undo });
  const prober = new Prober({ engines: fleet.engines, observe });
  prober.configure(config);
  const parts = {
    source,
    config,
    keys,
    log,
    dataDir,
    env,
    utility,
    fleet,
    gateway,
    storage,
    prober,
    discovery,
    shown,
    tls,
  };
  const service: Service = new Service(parts);
  discovery.follow(source.discovered, looks);
  // Batches that an earlier process left go on once models are asked for; a disk that fails them is the operator's to mend.
  storage.start().catch((error: unknown) => log(`batches stand still: ${String(error)}`));
  const ready = fleet.load(change);
  // Whoever holds the promise is told; a rejection nobody waits for must not end the process.
  ready.catch(() => {});
  const url = `${tls === null ? "http" : "https"}://${hostForUrl(config.server.host)}:${port}`;
  return running({ url, ready, service, fleet, notices });
}

function running(of: {
  readonly url: string;
  readonly ready: Promise<void>;
  readonly service: Service;
  readonly fleet: EngineFleet;
  readonly notices: Notices;
}): Running {
  const { url, ready, service, fleet, notices } = of;
  return {
    url,
    ready,
    get config() {
      return service.config;
    },
    childPids: () => fleet.childPids(),
    reload: (next) => service.reload(next),
    warn: (lines) => {
      notices.lines = lines;
    },
    stop: () => service.stop(),
  };
}

/** What /readyz says besides; changed by whoever watches the configuration file. */
interface Notices {
  lines: readonly string[];
}

/** A model takes a while to load; requests that come before wait in the queue. */
function waitForModels(utility: Utility, change: FleetChange): void {
  for (const [backendId, { config, llama }] of change.made) {
    if (llama !== null || asksForModels(config))
      utility.feed({ kind: "observed", backendId, state: "starting", models: null, contextTokens: null });
  }
}

function openJournal({ journal, log }: ServeOptions, print: (receipt: Receipt) => string): JournalFile | null {
  if (journal === null) return null;
  return new JournalFile(journal, (error) => log(`the journal ended: ${error.message}`), print);
}

/** A journal of a start that served nothing would only stand in the next start's way. */
function discard(journal: string | null): void {
  if (journal !== null) rmSync(journal, { force: true });
}

function hostForUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

async function listen(gateway: Gateway, server: AppConfig["server"], undo: () => Promise<unknown>): Promise<number> {
  try {
    return await gateway.listen(server.host, server.port);
  } catch (error) {
    await undo();
    const { code } = error as NodeJS.ErrnoException;
    const where = `${server.host}:${server.port}`;
    if (code === "EADDRINUSE")
      throw new Error(`${where} is in use; stop what listens there, or choose another with --port`, { cause: error });
    if (code === "EACCES")
      throw new Error(`${where} may not be opened by this user; choose a port above 1023 with --port`, {
        cause: error,
      });
    throw new Error(`cannot listen on ${where}: ${(error as Error).message}`, { cause: error });
  }
}

async function openStore(
  options: ServeOptions,
  of: {
    readonly utility: Utility;
    readonly print: (receipt: Receipt) => string;
    readonly journal: JournalFile | null;
  },
): Promise<SqliteStore> {
  const { dataDir } = options;
  const path = join(dataDir, "baseload.sqlite");
  try {
    return await SqliteStore.open(path, of.utility, of.print);
  } catch (error) {
    await of.journal?.close();
    discard(options.journal);
    const words = error instanceof Error ? error.message : String(error);
    const locked = /locked|in use by/.test(words);
    throw new Error(
      locked ? `another Baseload uses ${dataDir}; stop it, or give this one its own --data-dir` : `${path}: ${words}`,
      { cause: error },
    );
  }
}

async function openGateway(
  desk: Desk,
  of: {
    readonly config: AppConfig;
    readonly keys: KeyRing;
    readonly tls: TlsFiles | null;
    readonly options: ServeOptions;
    /** What is to be done when it cannot listen. */
    readonly undo: () => Promise<void>;
  },
): Promise<{ readonly gateway: Gateway; readonly storage: Storage; readonly port: number }> {
  const { config, keys, tls, options, undo } = of;
  const { logClientAddress } = config.telemetry;
  const storage = await openStorage(desk, config, options);
  const how = {
    ...config.server,
    logClientAddress,
    tls,
    keys,
    version: VERSION,
    estimate: estimator(),
    log: options.log,
  };
  const gateway = new Gateway(desk, how, storage);
  return { gateway, storage, port: await listen(gateway, config.server, undo) };
}

const DAY_SECONDS = 24 * 60 * 60;

async function openStorage(desk: Desk, config: AppConfig, { dataDir, log }: ServeOptions): Promise<Storage> {
  const { maxFilesBytes, maxFileBytes, batchConcurrency, maxBatchRequests, batchResultDays, responseDays } =
    config.storage;
  return new Storage(desk, await FileShelf.open(join(dataDir, "shelf"), maxFilesBytes), {
    maxFileBytes,
    concurrency: batchConcurrency,
    maxRequests: maxBatchRequests,
    maxJsonDepth: config.server.maxJsonDepth,
    keepSeconds: batchResultDays * DAY_SECONDS,
    keepResponsesSeconds: responseDays * DAY_SECONDS,
    clientIdleMs: config.server.clientIdleMs,
    log,
  });
}

interface DeskParts {
  readonly utility: Utility;
  readonly fleet: EngineFleet;
  readonly notices: Notices;
  readonly shown: Showing;
  readonly countTokens: CountTokens;
}

function deskOf({ utility, fleet, notices, shown, countTokens }: DeskParts): Desk {
  const mint = new Mint();
  const backends = () => utility.kernel.backends(systemClock.nowUs());
  return {
    arrive: (exchange) => utility.arrive(exchange),
    models: (holder) => utility.kernel.models(holder),
    modelMeta: (model) => fleet.modelMeta(model),
    backends,
    serves: (holder, model, endpoint) => utility.kernel.serves(holder, model, endpoint),
    countTokens,
    cordon: (backendId, cordoned) => utility.cordon(backendId, cordoned),
    receipt: (receiptId, tenant) => utility.receipt(receiptId, tenant),
    run: (tenant, runId, page) => utility.run(tenant, runId, page),
    runs: (tenant, limit) => utility.runs(tenant, limit),
    metrics: () =>
      shown.metrics({
        backends: backends(),
        ...utility.kernel.counts(),
        runsLimited: utility.kernel.runsLimited(),
      }),
    refused: shown.refused,
    turnedAway: shown.turnedAway,
    cameFrom: shown.cameFrom,
    mint: (wallMs) => mint.requestId(wallMs),
    get storeTrouble() {
      return utility.storeTrouble;
    },
    get warnings() {
      return notices.lines;
    },
    get stopping() {
      return utility.stopping;
    },
  };
}
